"""The files of a project on the disk: which there are, what they define, and how they are read.

listing -> reader (a process of its own) -> indexer -> index -> what context and memory ask for
"""
