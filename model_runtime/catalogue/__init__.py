"""The public models that can be added by name, and which of them fits a machine."""
