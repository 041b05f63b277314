"""Forecasters, without PyTorch."""
