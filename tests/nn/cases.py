"""A layer and its input as one value, run the same way on ``torch.nn`` and on ``elman.nn``."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from elman import reference

CELLS = {"tanh": "RNN", "relu": "RNN", "gru": "GRU", "lstm": "LSTM"}  # the class of each
FORMS = ("batched", "unbatched", "packed", "packed unsorted")
LAYOUTS = ("contiguous", "transposed", "every other", "offset", "expanded first", "expanded second", "one number")
GRADIENT_LAYOUTS = ("contiguous", "transposed", "every other", "offset", "one number")


def base_shape(shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """The shape of the tensor of which a tensor of ``shape`` is a view in this layout."""
    numel = torch.Size(shape).numel()
    if len(shape) == 1 and layout == "expanded second":
        layout = "one number"
    return {
        "contiguous": shape,
        "transposed": shape[::-1],
        "every other": (*shape[:-1], 2 * shape[-1]),
        "offset": (numel + 1,),
        "expanded first": (1, *shape[1:]),
        "expanded second": (shape[0], 1, *shape[2:]),
        "one number": (),
    }[layout]


def view(base: Tensor, shape: tuple[int, ...], layout: str) -> Tensor:
    """The tensor of ``shape`` that ``base`` is the storage of: strided, offset, unaligned or of stride 0."""
    if layout == "transposed":
        return base.permute(*reversed(range(base.dim())))
    if layout == "every other":
        return base[..., ::2]
    if layout == "offset":
        return base[1:].view(shape)
    return base.expand(shape)


def laid_out(
    shape: tuple[int, ...], layout: str, generator: torch.Generator, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """A leaf of normal numbers that wants gradients, and its view of ``shape``."""
    # Always drawn in float64: a float32 case holds the float64 case's numbers, rounded.
    base = torch.randn(base_shape(shape, layout), generator=generator, dtype=torch.float64)
    base = base.to(dtype).requires_grad_()
    return base, view(base, shape, layout)


@dataclass(frozen=True)
class Case:
    """One layer, one input, one question."""

    input_size: int = 3
    hidden_size: int = 5
    num_layers: int = 1
    cell: str = "tanh"
    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    dtype: str = "float32"
    training: bool = True
    form: str = "batched"
    lengths: tuple[int, ...] = (4, 4)
    layout: str = "contiguous"
    hx_layout: str | None = "contiguous"
    through: str = "both"
    gradient_layout: str = "contiguous"
    seed: int = 0

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)

    def layer(self, nn: ModuleType) -> torch.nn.RNNBase:
        """The layer from ``torch.nn`` or ``elman.nn``, with the weights of this case's seed."""
        torch.manual_seed(self.seed)
        layer = kind(nn, self.cell)(
            self.input_size,
            self.hidden_size,
            self.num_layers,
            bias=self.bias,
            batch_first=self.batch_first,
            dropout=self.dropout,
            bidirectional=self.bidirectional,
            dtype=self.torch_dtype,
        )
        return layer.train(self.training)

    def layer_of_torch(self) -> torch.nn.RNNBase:
        return self.layer(torch.nn)

    @property
    def shape_of_states(self) -> tuple[int, ...]:
        return self.num_layers * (1 + self.bidirectional), len(self.lengths), self.hidden_size

    def arguments(self) -> tuple[dict[str, Tensor], Any, Any]:
        """New leaves by name, and ``input`` and ``hx`` made of them."""
        generator = torch.Generator().manual_seed(self.seed)
        batch, steps = len(self.lengths), max(self.lengths)
        leaves = {}
        if self.form.startswith("packed"):
            packing = pack_padded_sequence(
                torch.zeros(steps, batch, 1), torch.tensor(self.lengths), enforce_sorted=self.form == "packed"
            )
            shape = (sum(self.lengths), self.input_size)
            leaves["input"], data = laid_out(shape, self.layout, generator, self.torch_dtype)
            input: Any = packing._replace(data=data)
        else:
            shape = (batch, steps) if self.batch_first else (steps, batch)
            shape = (steps, self.input_size) if self.form == "unbatched" else (*shape, self.input_size)
            leaves["input"], input = laid_out(shape, self.layout, generator, self.torch_dtype)
        states = []
        shape = self.shape_of_states[:: 2 if self.form == "unbatched" else 1]
        for name in ("hx", "cx")[: 2 if self.cell == "lstm" else 1] if self.hx_layout is not None else ():
            if self.hx_layout == "zeros":
                leaves[name] = state = torch.zeros(shape, dtype=self.torch_dtype, requires_grad=True)
            else:
                leaves[name], state = laid_out(shape, self.hx_layout, generator, self.torch_dtype)
            states.append(state)
        return leaves, input, tuple(states) if self.cell == "lstm" and states else states[0] if states else None


def kind(nn: ModuleType, cell: str, suffix: str = "") -> Callable[..., Any]:
    """The class of a cell's layer, of its cell with the suffix ``Cell``, with the nonlinearity given."""
    cls = getattr(nn, CELLS[cell] + suffix)
    return partial(cls, nonlinearity=cell) if CELLS[cell] == "RNN" else cls


def states_of(hx: Any) -> tuple[Tensor, ...]:
    """The states that a layer takes and returns: one, or an LSTM's two."""
    return () if hx is None else hx if isinstance(hx, tuple) else (hx,)


def output_of(result: Any) -> Tensor:
    """The output of a layer, the state h of a cell."""
    return result[0] if isinstance(result, tuple) else result


def named_results(output: Any, final: Any) -> dict[str, Tensor]:
    return {"output": data_of(output)} | dict(zip(("h_n", "c_n"), states_of(final), strict=False))


def data_of(x: Tensor | PackedSequence) -> Tensor:
    return x.data if isinstance(x, PackedSequence) else x


def run(case: Case, nn: ModuleType, frozen: frozenset[str] = frozenset()) -> dict[str, Tensor]:
    """Outputs and the gradients of everything that is not frozen, by name."""
    layer = case.layer(nn)
    leaves, input, hx = case.arguments()
    leaves.update(layer.named_parameters())
    for name in frozen & leaves.keys():
        leaves[name].requires_grad_(False)
    torch.manual_seed(case.seed + 1)  # dropout's
    results = named_results(*layer(input, hx))
    return results | gradients(case, results, {k: v for k, v in leaves.items() if v.requires_grad})


def gradients(case: Case, results: dict[str, Tensor], leaves: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradients that arrive at ``leaves`` from what this case sends through ``results``.

    None arrives where nothing needs one, and zeros stand for a gradient that is ``None``.
    """
    generator = torch.Generator().manual_seed(case.seed + 2)
    sent = {k: v for k, v in results.items() if case.through in (k, {"c_n": "h_n"}.get(k), "both") and v.requires_grad}
    if not sent or not leaves:
        return {}
    arriving, before = [], []
    for result in sent.values():
        base, gradient = laid_out(tuple(result.shape), case.gradient_layout, generator, result.dtype)
        arriving.append(gradient.detach())
        before.append((base, base.detach().clone()))
    found = torch.autograd.grad(list(sent.values()), list(leaves.values()), arriving, allow_unused=True)
    for base, copy in before:
        assert torch.equal(base, copy), "an incoming gradient was written to"
    return {
        f"d_{k}": torch.zeros_like(leaf) if g is None else g for (k, leaf), g in zip(leaves.items(), found, strict=True)
    }


def by_the_equations(layer: Any, input: Any, hx: Any) -> tuple[Any, Any]:
    """``layer(input, hx)`` without dropout, composed of ``elman.reference.layer``."""
    packed = isinstance(input, PackedSequence)
    unbatched = not packed and input.dim() == 2
    x, given = data_of(input), states_of(hx)
    if unbatched:
        x, given = x.unsqueeze(1), tuple(state.unsqueeze(1) for state in given)
    elif not packed and layer.batch_first:
        x = x.transpose(0, 1)
    if packed and input.sorted_indices is not None:
        given = tuple(state[:, input.sorted_indices] for state in given)
    cell = {"RNN_TANH": "tanh", "RNN_RELU": "relu"}.get(layer.mode, layer.mode.lower())
    final = []
    for names in zip(*[iter(layer.all_weights)] * (1 + layer.bidirectional), strict=True):
        outputs = []
        for reverse, weights in enumerate(names):
            before = [state[len(final)] for state in given]
            output, *after = reference.layer(
                x,
                input.batch_sizes if packed else None,
                *[*before, None, None][:2],
                *[*weights, None, None][:4],
                cell=cell,
                reverse=bool(reverse),
            )
            outputs.append(output)
            final.append(after)
        x = torch.cat(outputs, -1)
    states = tuple(torch.stack(state) for state in zip(*final, strict=True))
    if packed:
        x = input._replace(data=x)
        if input.unsorted_indices is not None:
            states = tuple(state[:, input.unsorted_indices] for state in states)
    elif unbatched:
        x, states = x.squeeze(1), tuple(state.squeeze(1) for state in states)
    elif layer.batch_first:
        x = x.transpose(0, 1)
    return x, states if cell == "lstm" else states[0]


def assert_same_numbers(ours: dict[str, Tensor], theirs: dict[str, Tensor], *, units: float = 64) -> None:
    """Equal names, shapes and dtypes, and numbers that differ by some rounding errors of the largest one.

    ``units`` counts in roundings of ``ours``' dtype. Sums of up to some hundred products in different orders
    differ by about ten; NaN and infinity must stand in the same places.
    """
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        found = ours[name]
        assert found.shape == expected.shape, name
        expected = expected.to(found.dtype)
        finite = expected[expected.isfinite()]
        scale = max(1.0, finite.abs().max().item()) if finite.numel() else 1.0
        atol = units * torch.finfo(found.dtype).eps * scale
        torch.testing.assert_close(
            found, expected, rtol=0, atol=atol, equal_nan=True, msg=lambda text, name=name: f"{name}: {text}"
        )


def outcome(action: Callable[[ModuleType], Any], nn: ModuleType) -> tuple[Any, ...]:
    """What ``action`` does with ``torch.nn`` or ``elman.nn``, as a user sees it: the error and its text, or the
    shapes, dtypes and numbers that come back; and the warnings on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.manual_seed(0)
        try:
            result = _described(action(nn))
        except Exception as error:
            # The last lines of some internal errors give torch's own source lines.
            result = (type(error), str(error).split("Exception raised from")[0])
    return result, [(w.category, str(w.message)) for w in caught]


@dataclass(frozen=True, eq=False)
class Numbers:
    """Equal to others that differ by rounding alone."""

    tensor: Tensor

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Numbers):
            return NotImplemented
        tolerance = 1e-5 if self.tensor.dtype in (torch.float32, torch.float64) else 0.02
        return torch.allclose(self.tensor, other.tensor, rtol=tolerance, atol=tolerance, equal_nan=True)

    __hash__ = None  # type: ignore[assignment]


def _described(result: Any) -> Any:
    if isinstance(result, PackedSequence | tuple):
        return type(result), tuple(_described(item) for item in result)
    if isinstance(result, Tensor):
        numbers = None if result.is_meta else Numbers(result.detach().clone())
        return result.shape, result.dtype, result.device, result.requires_grad, numbers
    return str(result)


def assert_same_bits(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        assert torch.equal(ours[name], expected), f"{name} differs in some bit"
