"""Names of the ways to end a completion, and the words for them in tables."""

FLOOR, RAW, LINE, SERVER = "floor", "raw", "line", "server"
CUT_RULES = (LINE, SERVER)
"""Rules that cut a completion; `cutting.RULES` applies them."""
LABELS = {
    FLOOR: "empty answer (the floor)",
    RAW: "uncut: the model stops by itself",
    LINE: "cut after the first line end",
    SERVER: "cut by the server's stop rules",
}
"""Label of a score -> its name in tables."""
