"""Engines: implementations of `model_runtime.engine.Engine`."""
