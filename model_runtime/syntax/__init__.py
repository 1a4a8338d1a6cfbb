"""Knows languages: their comments and brackets, syntax trees, and what surrounds a cursor."""
