"""Reads the models of others into bundles."""
