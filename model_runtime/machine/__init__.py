"""Stand-in until the machine's part lands."""
