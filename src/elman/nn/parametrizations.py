"""Constraints on recurrent weights that hold while they are trained, in the manner of
:mod:`torch.nn.utils.parametrizations`.

Each registers, by :func:`torch.nn.utils.parametrize.register_parametrization`, what a weight is computed by, and
returns the module. A layer, a cell or a model with such inside, :mod:`elman.nn`'s or :mod:`torch.nn`'s, is handed over
whole; ``name`` chooses the weights. Several may be put on the same weight and are applied in turn, bounds last.
``elman.save`` writes the weights that are computed; :func:`torch.nn.utils.parametrize.remove_parametrizations` leaves
them as plain parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.utils import parametrize

from elman import _gate
from elman._checks import is_number
from elman._errors import shown
from elman.nn._weights import matrices, number

__all__ = ["connectivity", "dale", "orthogonal", "spectral_norm", "spectral_radius"]


def dale(module: Module, excitatory: Any = 0.8, name: str = "weight_hh*") -> Module:
    r"""Dale's law: a unit excites all it is connected to, or inhibits all.

    .. math::
        W = |V| \, \mathrm{diag}(s), \qquad s_j = \pm 1

    What unit j sends out is column j of ``weight_hh``, of each gate, so that all the column has one sign. The sizes of
    the weights are kept, their signs become the units'.

    Args:
        module: a recurrent layer or cell, or any module with matrices of this name.
        excitatory: the share of the units that excite, the first ones; or a boolean for each unit. PsychRNN's
            ``dale_ratio``.
        name: a pattern that the names of the weights match; ``"weight"`` for a ``Linear`` that reads the units.

    Raises:
        ValueError: no weight matches, or there are not as many booleans as units.

    Example:
        >>> import elman
        >>> rnn = elman.nn.parametrizations.dale(elman.nn.RNN(2, 5), excitatory=0.8)
        >>> bool((rnn.weight_hh_l0[:, :4] >= 0).all() and (rnn.weight_hh_l0[:, 4] <= 0).all())
        True

    Source: H. F. Song, G. R. Yang and X.-J. Wang, "Training excitatory-inhibitory recurrent neural networks for
    cognitive tasks" (2016).
    """
    return _register(module, name, lambda weight, gates: _Dale(_signs(excitatory, weight)))


def connectivity(module: Module, mask: Any, name: str = "weight_hh*") -> Module:
    r"""Connections that are not there: weights that stay zero where a mask is False.

    .. math::
        W = M \odot V

    Args:
        module: a recurrent layer or cell, or any module with matrices of this name.
        mask: booleans, or zeros and ones, ``(to, from)``: for ``weight_hh`` ``(hidden_size, hidden_size)``, the same
            for each gate, or shaped as the weights. PsychRNN's ``rec_connectivity``.
        name: a pattern that the names of the weights match; ``"weight_ih_l0"`` for what the input is connected to.

    Raises:
        ValueError: no weight matches, or the mask does not fit it.

    Example:
        >>> import elman, torch
        >>> rnn = elman.nn.parametrizations.connectivity(elman.nn.RNN(2, 5), ~torch.eye(5, dtype=torch.bool))
        >>> rnn.weight_hh_l0.diagonal().tolist()  # no unit is connected to itself
        [0.0, 0.0, 0.0, 0.0, 0.0]

    Source: H. F. Song, G. R. Yang and X.-J. Wang (2016), as of :func:`dale`.
    """
    return _register(module, name, lambda weight, gates: _Connectivity(_mask(mask, weight, gates)))


def orthogonal(module: Module, name: str = "weight_hh*") -> Module:
    r"""Recurrent weights that stay orthogonal, those of each gate: their product changes the length of no state.

    .. math::
        W = B \exp(V - V^T), \qquad V \text{ lower triangular}

    B is the weights' orthogonal factor when this is registered. :func:`torch.nn.utils.parametrizations.orthogonal`
    takes the gates of a GRU or an LSTM for one matrix.

    Args:
        module: a recurrent layer or cell, or any module with square matrices of this name.
        name: a pattern that the names of the weights match.

    Raises:
        ValueError: no weight matches, or it is not square.

    Example:
        >>> import elman, torch
        >>> gru = elman.nn.parametrizations.orthogonal(elman.nn.GRU(2, 5))
        >>> reset = gru.weight_hh_l0[:5]
        >>> torch.allclose(reset @ reset.T, torch.eye(5), atol=1e-5)
        True

    Source: M. Lezcano-Casado and D. Martínez-Rubio, "Cheap orthogonal constraints in neural networks" (2019).
    """
    return _register(module, name, lambda weight, gates: _Orthogonal(weight, gates), square=True)


def spectral_radius(module: Module, bound: float = 1.0, name: str = "weight_hh*") -> Module:
    r"""Recurrent weights, each gate's, whose spectral radius is at most a bound.

    .. math::
        W = \min(1, \rho / \max_i |\lambda_i(V)|) \, V

    Eigenvalues are computed anew at each forward pass: some 30 ms for 256 units, and as much again for their gradients.
    :func:`spectral_norm` takes a third of that.

    Args:
        module: a recurrent layer or cell, or any module with square matrices of this name.
        bound: :math:`\rho`, above 0.
        name: a pattern that the names of the weights match.

    Raises:
        ValueError: no weight matches, or it is not square, or the bound is none.

    Example:
        >>> import elman, torch
        >>> rnn = elman.nn.parametrizations.spectral_radius(elman.nn.RNN(2, 5), 0.2)
        >>> print(f"{torch.linalg.eigvals(rnn.weight_hh_l0).abs().max():.4f}")
        0.2000
    """
    return _bounded(module, bound, name, _radii, square=True)


def spectral_norm(module: Module, bound: float = 1.0, name: str = "weight_hh*") -> Module:
    r"""Weights, each gate's, whose largest singular value is at most a bound: their product makes a state longer
    by no more than this factor.

    .. math::
        W = \min(1, b / \sigma_1(V)) \, V

    It is never less than the spectral radius. :func:`torch.nn.utils.parametrizations.spectral_norm` makes it 1, by an
    estimate that training refines, and takes the gates of a GRU or an LSTM for one matrix.

    Args:
        module: a recurrent layer or cell, or any module with matrices of this name.
        bound: b, above 0.
        name: a pattern that the names of the weights match.

    Raises:
        ValueError: no weight matches, or the bound is none.

    Example:
        >>> import elman, torch
        >>> rnn = elman.nn.parametrizations.spectral_norm(elman.nn.RNN(2, 5), 0.2)
        >>> print(f"{torch.linalg.matrix_norm(rnn.weight_hh_l0, 2):.4f}")
        0.2000

    Source: T. Miyato et al., "Spectral normalization for generative adversarial networks" (2018).
    """
    return _bounded(module, bound, name, lambda blocks: torch.linalg.matrix_norm(blocks, 2))


def _radii(blocks: Tensor) -> Tensor:
    # Where few units are connected a chain of them ends, and the eigenvalues have no gradients. Those of nearly all
    # matrices have: of this one too, beside which the first lies closer than float32 tells.
    units = blocks.shape[-1]
    beside = (0.6180339887 * torch.arange(units * units, dtype=blocks.dtype, device=blocks.device)).frac() - 0.5
    largest = blocks.detach().abs().amax((-2, -1), keepdim=True)
    radii: Tensor = torch.linalg.eigvals(blocks + 1e-12 * largest * beside.view(units, units)).abs().amax(-1)
    return radii


class _Dale(Module):
    signs: Tensor

    def __init__(self, signs: Tensor) -> None:
        super().__init__()
        self.register_buffer("signs", signs)

    def forward(self, weight: Tensor) -> Tensor:
        # not abs, whose gradient at 0 is 0: a weight of 0 could never become another
        return torch.where(weight < 0, -weight, weight) * self.signs

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight.abs()


class _Connectivity(Module):
    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        return weight.masked_fill(~self.mask, 0)

    right_inverse = forward


class _Orthogonal(Module):
    base: Tensor

    def __init__(self, weight: Tensor, gates: int) -> None:
        super().__init__()
        self.register_buffer("base", torch.empty_like(weight).unflatten(0, (gates, -1)))

    def forward(self, weight: Tensor) -> Tensor:
        lower = weight.unflatten(0, self.base.shape[:2]).tril(-1)
        return (self.base @ torch.matrix_exp(lower - lower.mT)).flatten(0, 1)

    def right_inverse(self, weight: Tensor) -> Tensor:
        q, r = torch.linalg.qr(weight.detach().unflatten(0, self.base.shape[:2]))
        self.base.copy_(q * torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).unsqueeze(-2))
        return torch.zeros_like(weight)


class _Bounded(Module):
    def __init__(self, measure: Callable[[Tensor], Tensor], bound: float, gates: int) -> None:
        super().__init__()
        self.measure, self.bound, self.gates = measure, bound, gates

    def extra_repr(self) -> str:
        return f"bound={self.bound}"

    def forward(self, weight: Tensor) -> Tensor:
        blocks = weight.unflatten(0, (self.gates, -1)).double()
        sizes = self.measure(blocks)
        if _gate.nothing_intercepts() and (sizes <= self.bound).all():
            return weight  # without what becomes gradients of zero
        scaled: Tensor = blocks * (self.bound / sizes.clamp(min=self.bound)).view(-1, 1, 1)
        return scaled.flatten(0, 1).to(weight.dtype)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight


def _bounded(
    module: Module, bound: Any, name: str, measure: Callable[[Tensor], Tensor], *, square: bool = False
) -> Module:
    bound = number("bound", bound, 0, itself=False)
    return _register(module, name, lambda weight, gates: _Bounded(measure, bound, gates), square=square)


def _register(module: Module, name: str, make: Callable[[Tensor, int], Module], *, square: bool = False) -> Module:
    """Register what ``make`` makes for each weight of this name; nothing is registered before all are made."""
    new = []
    for owner, own, gates in matrices(module, name):
        weight = getattr(owner, own).detach()
        rows, columns = weight.shape
        if square and rows != gates * columns:
            raise ValueError(f"{own}: expected square weights of each gate, got {(rows // gates, columns)}")
        new.append((owner, own, make(weight, gates)))
    for of_weight in new:
        parametrize.register_parametrization(*of_weight)
    return module


def _signs(excitatory: Any, weight: Tensor) -> Tensor:
    """1 for each column of a unit that excites, -1 for the others."""
    units = weight.shape[1]
    if is_number(excitatory):
        share = float(excitatory)
        if not 0 <= share <= 1:
            raise ValueError(f"excitatory: expected a share from 0 to 1, or booleans, got {shown(excitatory)}")
        excite = torch.arange(units, device=weight.device) < round(share * units)
    else:
        excite = _booleans("excitatory", excitatory, weight)
    if excite.shape != (units,):
        raise ValueError(f"excitatory: expected a boolean for each of {units} units, got {tuple(excite.shape)}")
    return torch.where(excite, 1, -1).to(weight)


def _mask(mask: Any, weight: Tensor, gates: int) -> Tensor:
    """A mask of the weight's own shape."""
    connected = _booleans("mask", mask, weight)
    rows, columns = weight.shape
    if connected.shape == (rows // gates, columns):
        connected = connected.repeat(gates, 1)
    if connected.shape != (rows, columns):
        raise ValueError(f"mask: expected {(rows // gates, columns)}, got {tuple(connected.shape)}")
    return connected


def _booleans(argument: str, given: Any, like: Tensor) -> Tensor:
    try:
        values = torch.as_tensor(given, device=like.device)
    except (TypeError, ValueError, RuntimeError):
        values = None
    if values is None or not ((values == 0) | (values == 1)).all():
        raise ValueError(f"{argument}: expected booleans, or zeros and ones, got {shown(given)}")
    return values == 1
