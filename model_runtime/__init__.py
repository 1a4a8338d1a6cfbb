"""Local fill-in-the-middle: text around a cursor in, the missing middle out."""
