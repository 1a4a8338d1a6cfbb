"""The pipeline from a corpus to a model that infills."""
