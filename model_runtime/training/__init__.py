"""Makes a fill-in-the-middle model of source code; `stages.py` names the stages."""
