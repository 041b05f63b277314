"""Cells of one's own: the pointwise mathematics of a recurrent cell, written once in Python.

The engine multiplies, loops, differentiates and streams; a cell says what becomes of the gates' sums and of the states.
"""

from elman.cells._cell import Cell, Learned, learned
from elman.cells._library import (
    GRU,
    LSTM,
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
from elman.cells._wrappers import RecurrentDropout, Zoneout

__all__ = [
    "GRU",
    "LSTM",
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
    "RecurrentDropout",
    "Value",
    "VoltageLeaky",
    "Zoneout",
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
