"""ONNX in and out. Nothing here imports the package onnx before it is needed."""
