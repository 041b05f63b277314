"""Trained models on NumPy and the engine alone."""
