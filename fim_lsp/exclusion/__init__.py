"""Judges which files are never completed or read: secrets, `exclude` globs, what git ignores."""
