"""A layer and its input as one value, run the same way on ``torch.nn`` and on ``elman.nn``."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from elman import reference

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
    nonlinearity: str = "tanh"
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

    def layer(self, nn: ModuleType) -> torch.nn.RNN:
        """The layer from ``torch.nn`` or ``elman.nn``, with the weights of this case's seed."""
        torch.manual_seed(self.seed)
        layer = nn.RNN(
            self.input_size,
            self.hidden_size,
            self.num_layers,
            nonlinearity=self.nonlinearity,
            bias=self.bias,
            batch_first=self.batch_first,
            dropout=self.dropout,
            bidirectional=self.bidirectional,
            dtype=self.torch_dtype,
        )
        return layer.train(self.training)

    def layer_of_torch(self) -> torch.nn.RNN:
        return self.layer(torch.nn)

    def arguments(self) -> tuple[dict[str, Tensor], Any, Tensor | None]:
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
        hx = None
        if self.hx_layout is not None:
            shape = (self.num_layers * (1 + self.bidirectional), batch, self.hidden_size)
            shape = (shape[0], shape[2]) if self.form == "unbatched" else shape
            if self.hx_layout == "zeros":
                leaves["hx"] = hx = torch.zeros(shape, dtype=self.torch_dtype, requires_grad=True)
            else:
                leaves["hx"], hx = laid_out(shape, self.hx_layout, generator, self.torch_dtype)
        return leaves, input, hx


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
    output, h_n = layer(input, hx)
    results = {"output": data_of(output), "h_n": h_n}
    return results | gradients(case, results, {k: v for k, v in leaves.items() if v.requires_grad})


def gradients(case: Case, results: dict[str, Tensor], leaves: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradients that arrive at ``leaves`` from what this case sends through ``results``.

    None arrives where nothing needs one, and zeros stand for a gradient that is ``None``.
    """
    generator = torch.Generator().manual_seed(case.seed + 2)
    sent = {k: v for k, v in results.items() if case.through in (k, "both") and v.requires_grad}
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


def by_the_equations(layer: torch.nn.RNN, input: Any, hx: Tensor | None) -> tuple[Any, Tensor]:
    """``layer(input, hx)`` without dropout, composed of ``elman.reference.layer``."""
    packed = isinstance(input, PackedSequence)
    unbatched = not packed and input.dim() == 2
    x = data_of(input)
    if unbatched:
        x, hx = x.unsqueeze(1), None if hx is None else hx.unsqueeze(1)
    elif not packed and layer.batch_first:
        x = x.transpose(0, 1)
    if packed and hx is not None and input.sorted_indices is not None:
        hx = hx[:, input.sorted_indices]
    final = []
    for names in zip(*[iter(layer.all_weights)] * (1 + layer.bidirectional), strict=True):
        outputs = []
        for reverse, weights in enumerate(names):
            padded_weights = [*weights, None, None][:4]
            h_0 = None if hx is None else hx[len(final)]
            output, h_n = reference.layer(
                x,
                input.batch_sizes if packed else None,
                h_0,
                None,
                *padded_weights,
                cell=layer.nonlinearity,
                reverse=bool(reverse),
            )
            outputs.append(output)
            final.append(h_n)
        x = torch.cat(outputs, -1)
    h_n = torch.stack(final)
    if packed:
        h_n = h_n if input.unsorted_indices is None else h_n[:, input.unsorted_indices]
        return input._replace(data=x), h_n
    if unbatched:
        return x.squeeze(1), h_n.squeeze(1)
    return x.transpose(0, 1) if layer.batch_first else x, h_n


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
