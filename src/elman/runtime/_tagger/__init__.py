"""Sequence taggers, without PyTorch."""
