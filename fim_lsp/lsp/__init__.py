"""Speaks the Language Server Protocol: connections, messages, documents, and what a client is told.

LSP types and pygls stop here; what lies below knows texts, offsets and settings.
"""
