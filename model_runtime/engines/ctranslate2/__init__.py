"""Runs bundles with CTranslate2."""
