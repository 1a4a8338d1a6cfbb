"""Benchmarks: each module prints a table and writes a JSON file with machine and date into
results/.
"""
