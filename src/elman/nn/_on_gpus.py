"""Whose kernels compute the layers of tensors that are on a GPU: PyTorch's, until somebody asks for ours."""

from __future__ import annotations

from elman.ops import _cuda

__all__ = ["follow_environment", "use_cuda_engine"]


def use_cuda_engine(use: bool = True) -> bool:
    """Have ``RNN``, ``GRU``, ``LSTM``, their cells and ``Recurrent`` compute on NVIDIA's GPUs to the bits of the CPU.

    That is in float32. Experimental: no GPU has run it yet. ``ELMAN_CUDA=1`` in the environment does the same, once
    there is something on a GPU to compute. It needs the extra ``cuda``; kernels are compiled when they are first
    needed, and kept.

    Args:
        use: False for PyTorch's kernels again, which are the default.

    Returns:
        Whether ours are in use. Where they cannot be, a ``RuntimeWarning`` says why in one line, and PyTorch's go on.
    """
    return _cuda.use(use)


def follow_environment() -> None:
    if _cuda.is_asked_for():
        _cuda.use_when_needed()
