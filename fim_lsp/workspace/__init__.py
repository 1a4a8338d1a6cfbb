"""Knows the files of a project on the disk: which there are, and what they define.

listing -> reader (a process of its own) -> project -> index -> context and line n-grams
"""
