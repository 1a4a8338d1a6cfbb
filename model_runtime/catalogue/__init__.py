"""Table of public models that `fim-runtime models add` knows by name."""
