"""Stage 1: makes a corpus of text that a model may learn from.

build        the stage: phases on an executor, then the parts and the manifest
roots        what a root may name; archives, folders and tables read it
licences     whether a package's licence lets a model learn from its code
steps        the phases, as steps of datatrove pipelines
held_out     which documents are kept, and which are held out for validation
executors    this machine, Slurm or Ray
"""
