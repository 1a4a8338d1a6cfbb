"""Measures models: infilling by running what they write, and text by its likelihood."""
