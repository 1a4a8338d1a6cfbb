"""Describes models as data: decoder, weights, manifest, and the bundle that holds them."""
