"""From wheels of source code to a fill-in-the-middle model; `pipeline.py` names the stages."""
