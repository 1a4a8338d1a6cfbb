"""Runs bundles with PyTorch."""
