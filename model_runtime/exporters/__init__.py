"""Writes bundles in the file formats of other programs."""
