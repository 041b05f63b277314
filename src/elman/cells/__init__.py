"""Cells of one's own: the pointwise mathematics of a recurrent cell, written once in Python.

The engine multiplies, loops, differentiates and streams; a cell says what becomes of the gates' sums and of the states.
"""

from elman.cells._cell import Cell, Learned, learned
from elman.cells._library import (
    CoupledLSTM,
    Elman,
    IndRNN,
    LayerNormGRU,
    LayerNormLSTM,
    LayerNormRNN,
    MinimalGatedUnit,
    PeepholeLSTM,
    RateLeaky,
    VoltageLeaky,
)
from elman.cells._program import Program
from elman.cells._values import (
    CellError,
    Gate,
    Value,
    exp,
    fma,
    log,
    maximum,
    mean_units,
    minimum,
    relu,
    sigma,
    softplus,
    sqrt,
    sum_units,
    tanh,
    where,
)

__all__ = [
    "Cell",
    "CellError",
    "CoupledLSTM",
    "Elman",
    "Gate",
    "IndRNN",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LayerNormRNN",
    "Learned",
    "MinimalGatedUnit",
    "PeepholeLSTM",
    "Program",
    "RateLeaky",
    "Value",
    "VoltageLeaky",
    "exp",
    "fma",
    "learned",
    "log",
    "maximum",
    "mean_units",
    "minimum",
    "relu",
    "sigma",
    "softplus",
    "sqrt",
    "sum_units",
    "tanh",
    "where",
]
