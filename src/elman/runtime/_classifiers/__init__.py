"""Classifiers, of texts and of sequences of numbers, without PyTorch."""
