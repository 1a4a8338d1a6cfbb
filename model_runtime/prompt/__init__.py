"""Writes prompts: the format, the encoder, the tokenizer, and text that decoding must agree with.

Training, evaluation and serving use this code alone, so that a model is asked as it was taught.
"""
