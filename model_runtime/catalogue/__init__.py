"""Stand-in until the catalogue lands."""
