"""Language models, without PyTorch."""
