"""`fim-lsp replay`: types files through the real server as a person would, and counts.

script   what to type: files, or the commits of a repository
rhythm   the pauses between the keys
editor   the real server as a process, spoken to over its pipes
user     the model of a user: when a suggestion is right, and what is left to type
typist   one file, key by key
figures  what came of it, as numbers
report   the figures as a table, as JSON and as a page of HTML
"""
