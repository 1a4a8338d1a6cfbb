"""Turns an engine's tokens into text: generation, stop rules, confidence, the time limit."""
