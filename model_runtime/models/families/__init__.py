"""Families of models: how the checkpoints of each become a `DecoderSpec` and canonical tensors."""
