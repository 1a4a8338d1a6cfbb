"""The subcommands of `fim-runtime evaluate`: one module each, with its parser and what it runs.

The modules import nothing heavy until their `run` is called.
"""
