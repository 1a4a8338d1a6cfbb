"""The machine that models run on: its memory, its speed, and what a model would do here."""
