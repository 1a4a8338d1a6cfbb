"""Chooses models, and adds better ones when the user says so, while the old one answers."""
