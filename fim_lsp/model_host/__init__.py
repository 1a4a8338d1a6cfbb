"""Holds the one model of the process: loading, the thread that runs it, unloading while idle."""
