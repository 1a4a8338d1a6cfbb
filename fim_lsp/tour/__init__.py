"""A tour of the completions in a terminal, through the real language server.

`script` is what the tour shows, `pane` a document in which it is typed, `screen` and `page` its two
forms: one for a terminal with keys, one that is printed.
"""
