"""Completes at a cursor: from a frozen document to the suggestions that an editor shows.

`provider` is the path of a request; the other modules are its steps.
"""
