"""Follows what users do with suggestions, counts it on this machine, and adapts the threshold."""
