"""Finds, lists and adds the models of this machine."""
