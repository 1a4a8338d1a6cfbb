"""Runs bundles with ONNX Runtime."""
