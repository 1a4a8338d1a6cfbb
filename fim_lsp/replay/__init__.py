"""`fim-lsp replay`: types files through the real server as a person would, and counts.

script   edits to type: of files, or of the commits of a repository
rhythm   pauses between the keys
editor   the real server as a process, spoken to over its pipes
user     a model of a user: when a suggestion is right, and how much is left to type
typist   types one file, key by key
figures  counts that can be added up
report   a table, JSON, and a page of HTML
"""
