"""Initialisers of recurrent weights and of gates' biases, in the manner of :mod:`torch.nn.init`.

Each fills its argument in place and returns it. ``torch.nn.init`` takes ``weight_hh`` of a GRU or an LSTM for one
matrix of ``gates * hidden_size`` rows; these take each gate's rows for themselves. A module in the place of a tensor
stands for all its recurrent weights, those of the modules inside it too: :mod:`elman.nn`'s and :mod:`torch.nn`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor
from torch.nn import Module

from elman._checks import is_integer
from elman._errors import shown
from elman.nn._weights import assign, built_in_family, matrices, number, parameter_names, recurrent_modules

__all__ = ["chrono_", "gate_bias_", "identity_", "orthogonal_", "spectral_radius_"]

Weights = TypeVar("Weights", Tensor, Module)

_CHRONO = {"gru": {"z": 1}, "lstm": {"f": 1, "i": -1}}  # the signs of log u in gates' biases


def spectral_radius_(tensor: Weights, radius: float, *, name: str = "weight_hh*", gates: int | None = None) -> Weights:
    r"""Scale recurrent weights to a spectral radius, the largest absolute value of an eigenvalue; each gate's alone.

    .. math::
        W \leftarrow \frac{\rho}{\max_i |\lambda_i(W)|} W

    What the weights are drawn from, and which of them are zero, stays as it was.

    Args:
        tensor: ``weight_hh``, ``(gates * hidden_size, hidden_size)``, or a module.
        radius: :math:`\rho`, 0 or more.
        name: of a module, a pattern that the names of its weights match.
        gates: of a tensor, how many. Default: as often as there are ``hidden_size`` rows.

    Raises:
        ValueError: the weights are not square, or have no spectral radius to scale: zeros, NaN.

    Example:
        >>> import elman, torch
        >>> weight = elman.nn.init.spectral_radius_(torch.randn(100, 100), 0.9)
        >>> print(f"{torch.linalg.eigvals(weight).abs().max():.4f}")
        0.9000

    Source: H. Jaeger, "The 'echo state' approach to analysing and training recurrent neural networks" (2001).
    """
    radius = number("radius", radius, 0)

    def scaled(block: Tensor, named: str) -> Tensor:
        _require_square(block, named)
        weights = block.double()
        largest = torch.linalg.eigvals(weights).abs().max() if weights.isfinite().all() else weights.new_zeros(())
        if not largest > 0:
            held = "a radius of 0" if weights.isfinite().all() else "NaN or infinity"
            raise ValueError(f"{named}: expected weights with a spectral radius above 0 to scale, got {held}")
        return weights * (radius / largest)

    return _fill(tensor, name, gates, scaled)


def orthogonal_(
    tensor: Weights,
    gain: float = 1.0,
    generator: Generator | None = None,
    *,
    name: str = "weight_hh*",
    gates: int | None = None,
) -> Weights:
    r"""Fill weights with random orthogonal matrices, one for each gate: :math:`W W^T = g^2 I`.

    Of an RNN this is :func:`torch.nn.init.orthogonal_`, which would make of three or four gates one matrix with
    orthogonal columns, and of each gate none.

    Args:
        tensor: weights, ``(gates * hidden_size, features)``, or a module.
        gain: what they are multiplied by, g.
        generator: draws the matrices. Default: PyTorch's own.
        name: of a module, a pattern that the names of its weights match; ``"weight_*"`` for input weights too, which
            come to orthogonal columns or rows.
        gates: of a tensor, how many. Default: as often as there are as many rows as columns.

    Raises:
        ValueError: the tensor's rows are no multiple of its columns, and ``gates`` are not given.

    Example:
        >>> import elman, torch
        >>> lstm = elman.nn.init.orthogonal_(elman.nn.LSTM(3, 5))
        >>> forget = lstm.weight_hh_l0[5:10]
        >>> torch.allclose(forget @ forget.T, torch.eye(5), atol=1e-6)
        True

    Source: A. Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks"
    (2013).
    """
    gain = number("gain", gain, -float("inf"), itself=False)

    def drawn(block: Tensor, named: str) -> Tensor:
        dtype = torch.float64 if block.dtype == torch.float64 else torch.float32  # PyTorch factors no others
        return torch.nn.init.orthogonal_(torch.empty_like(block, dtype=dtype), gain, generator)

    return _fill(tensor, name, gates, drawn)


def identity_(tensor: Weights, gain: float = 1.0, *, name: str = "weight_hh*", gates: int | None = None) -> Weights:
    r"""Make recurrent weights a multiple of the identity matrix, each gate's: :math:`W = g I`.

    With ``nonlinearity="relu"`` and biases of zero this is the IRNN, whose units keep what they are not told to change.

    Args:
        tensor: ``weight_hh``, ``(gates * hidden_size, hidden_size)``, or a module.
        gain: what they are multiplied by, g.
        name: of a module, a pattern that the names of its weights match.
        gates: of a tensor, how many. Default: as often as there are ``hidden_size`` rows.

    Raises:
        ValueError: the weights are not square.

    Example:
        >>> import elman
        >>> irnn = elman.nn.init.identity_(elman.nn.RNN(1, 2, nonlinearity="relu"))
        >>> irnn = elman.nn.init.gate_bias_(irnn, "h", 0)
        >>> irnn.weight_hh_l0.tolist()
        [[1.0, 0.0], [0.0, 1.0]]

    Source: Q. V. Le et al., "A simple way to initialize recurrent networks of rectified linear units" (2015).
    """
    gain = number("gain", gain, -float("inf"), itself=False)

    def made(block: Tensor, named: str) -> Tensor:
        _require_square(block, named)
        return gain * torch.eye(len(block), dtype=block.dtype, device=block.device)

    return _fill(tensor, name, gates, made)


def gate_bias_(module: Module, gate: str, value: Any) -> Module:
    r"""Set a gate's bias, in all layers and directions.

    The bias is the sum of two: ``bias_ih`` becomes the value and ``bias_hh`` zero. (Setting both, as programs often
    do, gives twice the value.)

    Args:
        module: a recurrent layer or cell with biases, or a module that holds some; those that have no such gate stay.
        gate: of an RNN ``"h"``, of a GRU ``"r"``, ``"z"`` or ``"n"``, of an LSTM ``"i"``, ``"f"``, ``"g"`` or ``"o"``;
            of an :class:`elman.nn.Recurrent` as its cell names it.
        value: a number, or one for each hidden unit.

    Raises:
        ValueError: there is no such gate, or there are no biases, or the values are not as many as the units.

    Example:
        >>> import elman
        >>> lstm = elman.nn.init.gate_bias_(elman.nn.LSTM(3, 2), "f", 1.0)
        >>> (lstm.bias_ih_l0 + lstm.bias_hh_l0)[2:4].tolist()
        [1.0, 1.0]

    Source: of a forget gate's bias of 1, F. Gers et al., "Learning to forget" (2000); R. Jozefowicz et al., "An
    empirical exploration of recurrent network architectures" (2015).
    """
    _require_name("gate", gate)
    try:
        values = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"value: expected a number, or one for each hidden unit, got {shown(value)}") from None

    def given(units: int) -> Tensor:
        if values.dim() > 1 or (values.dim() and len(values) != units):
            got = tuple(values.shape)
            raise ValueError(f"value: expected a number, or one for each of {units} hidden units, got {got}")
        return values

    if not _set_biases(module, lambda owner: {gate: 1}, given):
        known = sorted({own for _, gates in recurrent_modules(module) for own in gates})
        raise ValueError(f"gate: expected one of {', '.join(known)}, got {shown(gate)}")
    return module


def chrono_(
    module: Module,
    max_steps: float,
    generator: Generator | None = None,
    *,
    keep: str | None = None,
    write: str | None = None,
) -> Module:
    r"""Draw gates' biases so that units forget over anything from two steps to the longest time that is of interest.

    .. math::
        b_{keep} = \log u, \qquad b_{write} = -\log u, \qquad u \sim U(1, T_{max} - 1)

    A gate of bias :math:`\log u` keeps :math:`u / (1 + u)` of a state by step, for some :math:`1 + u` steps.

    Args:
        module: a GRU, an LSTM, a cell of these or an :class:`elman.nn.Recurrent` with biases, or a module that holds
            some; others stay as they are.
        max_steps: :math:`T_{max}`, 2 or more: how many steps back what counts may lie.
        generator: draws u, for each unit of each layer and direction. Default: PyTorch's own.
        keep: of a Recurrent, the gate that multiplies its state before the step. An LSTM's is ``f``, a GRU's ``z``.
        write: of a Recurrent, the gate that multiplies what is added to it. An LSTM's is ``i``, a GRU has none.

    Raises:
        ValueError: there are no such gates, or no biases.

    Example:
        >>> import elman
        >>> lstm = elman.nn.init.chrono_(elman.nn.LSTM(3, 2), max_steps=784)
        >>> i, f, *_ = (lstm.bias_ih_l0 + lstm.bias_hh_l0).view(4, 2)
        >>> bool((f >= 0).all() and (i == -f).all())
        True

    Source: C. Tallec and Y. Ollivier, "Can recurrent neural networks warp time?" (2018).
    """
    max_steps = number("max_steps", max_steps, 2)
    for argument, gate in (("keep", keep), ("write", write)):
        if gate is not None:
            _require_name(argument, gate)
    said = {gate: sign for gate, sign in ((keep, 1), (write, -1)) if gate}

    def drawn(units: int) -> Tensor:
        u = torch.empty(units, device=generator.device if generator else "cpu")
        return u.uniform_(1, max_steps - 1, generator=generator).log()

    if not _set_biases(module, lambda owner: said or _CHRONO.get(built_in_family(owner), {}), drawn):
        got = type(module).__name__
        raise ValueError(f"module: expected a GRU or an LSTM, or gates keep= and write= that it has, got {got}")
    return module


def _fill(tensor: Weights, name: str, gates: int | None, make: Callable[[Tensor, str], Tensor]) -> Weights:
    """Replace each gate's block of the weights by what ``make`` makes of it; nothing is written before all are made."""
    if gates is not None and not is_integer(gates, 1):
        raise ValueError(f"gates: expected an integer above 0, got {shown(gates)}")
    if isinstance(tensor, Module):
        found = [(owner, own, gates or of_own) for owner, own, of_own in matrices(tensor, name)]
        new = [(owner, own, _by_gates(getattr(owner, own), own, of_own, make)) for owner, own, of_own in found]
        for of_weight in new:
            assign(*of_weight)
        return tensor
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor: expected a tensor or a module, got {type(tensor).__name__}")
    if tensor.requires_grad and not tensor.is_leaf:
        raise ValueError("tensor: expected a parameter, got what is computed from others; hand over the module")
    if tensor.dim() != 2 or not tensor.is_floating_point():
        raise ValueError(
            f"tensor: expected a matrix of floating-point numbers, got {tuple(tensor.shape)}, {tensor.dtype}"
        )
    rows, columns = tensor.shape
    if gates is None and (not columns or rows % columns):
        raise ValueError(f"tensor: expected (gates * hidden_size, hidden_size), or gates=, got {(rows, columns)}")
    values = _by_gates(tensor, "tensor", gates or rows // columns, make)
    with torch.no_grad():
        tensor.copy_(values)
    return tensor


def _by_gates(weight: Tensor, name: str, gates: int, make: Callable[[Tensor, str], Tensor]) -> Tensor:
    weight = weight.detach()
    if weight.is_meta or not weight.numel():
        return weight
    if len(weight) % gates:
        raise ValueError(f"{name}: expected as many rows of each of {gates} gates, got {tuple(weight.shape)}")
    return torch.cat([make(block, name) for block in weight.chunk(gates)])


def _require_square(block: Tensor, name: str) -> None:
    if block.shape[0] != block.shape[1]:
        raise ValueError(f"{name}: expected square weights of each gate, got {tuple(block.shape)}")


def _require_name(argument: str, gate: Any) -> None:
    if not isinstance(gate, str):
        raise TypeError(f"{argument}: expected a gate's name, got {shown(gate)}")


def _set_biases(module: Module, signs_of: Callable[[Module], Mapping[str, int]], draw: Callable[[int], Tensor]) -> bool:
    """Set the biases of modules that have these gates, and say whether any has; all are known before one is written."""
    new = []
    for owner, gates in recurrent_modules(module):
        signs = signs_of(owner)
        if not signs or not {*signs} <= {*gates}:
            continue
        names = [name for name in parameter_names(owner) if name.startswith("bias_ih")]
        if not names:
            raise ValueError(f"module: expected biases, but a {type(owner).__name__} in it has bias=False")
        for name in names:
            biases = getattr(owner, name).detach().clone()
            units = len(biases) // len(gates)
            drawn, parts = draw(units).to(biases), {name: (biases, 1)}
            if (other := name.replace("ih", "hh")) in parameter_names(owner):  # of a cell that feeds nothing back none
                parts[other] = getattr(owner, other).detach().clone(), 0
            for gate, sign in signs.items():
                rows = slice(gates.index(gate) * units, (gates.index(gate) + 1) * units)
                for values, share in parts.values():
                    values[rows] = share * sign * drawn
            new += [(owner, part, values) for part, (values, _) in parts.items()]
    for of_gates in new:
        assign(*of_gates)
    return bool(new)
