"""Implements the commands of `fim-runtime` that neither train nor evaluate."""
