"""What ``RNN``, ``GRU`` and ``LSTM`` are made of: PyTorch's parameters, and those of what is added."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import torch
from torch.nn import Parameter, init

from elman.nn._additions import Additions, check_flags, widths_of

__all__ = ["Parameters", "constructor"]

_Signature = TypeVar("_Signature", bound=Callable[..., None])


def constructor(signature: _Signature) -> _Signature:
    """The constructor under the signature of a function that is never run, for editors, type checkers and ``help``.

    PyTorch's take ``*args, **kwargs``, and refuse what does not fit in words of their own.
    """

    @wraps(signature)
    def construct(self: Parameters, *args: Any, **kwargs: Any) -> None:
        self._construct(*args, **kwargs)

    return construct  # type: ignore[return-value]


class Parameters(Additions):
    """The constructor of ``RNN``, ``GRU`` and ``LSTM``, and what goes by its arguments."""

    _gates: int

    # of torch.nn.RNNBase
    input_size: int
    proj_size: int
    weight_ih_l0: Parameter
    _all_weights: list[list[str]]
    named_parameters: Any

    @constructor
    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        device: Any = None,
        dtype: Any = None,
        learn_initial_state: bool = False,
        residual: bool = False,
    ) -> None: ...

    def _construct(
        self,
        *args: Any,
        learn_initial_state: bool = False,
        residual: bool = False,
        device: Any = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        check_flags(learn_initial_state=learn_initial_state, residual=residual)
        widths, args, kwargs = _with_one_width(args, kwargs)
        factory = {"device": "meta" if widths else device, "dtype": dtype}  # no draw for weights that will not do
        given = {name: value for name, value in factory.items() if value is not None}
        super().__init__(*args, **kwargs, **given)
        if residual:
            self.residual = True
        if learn_initial_state:
            self.learn_initial_state = True
        if widths:
            self.hidden_size = widths
        if self._additions and self.proj_size:
            raise ValueError(f"proj_size: expected 0 with {self._additions}, got {self.proj_size}")
        self._register(device)

    def _register(self, device: Any) -> None:
        """The parameters that PyTorch's constructor has not made."""
        first = self.weight_ih_l0
        directions = len(self._suffixes)
        device = device if self._has_widths else first.device

        def parameter(*shape: int) -> Parameter:
            return Parameter(torch.zeros(shape, dtype=first.dtype, device=device))

        features = self.input_size
        for index, width in enumerate(self._widths if self._has_widths else ()):
            shapes = (self._gates * width, features), (self._gates * width, width), *[(self._gates * width,)] * 2
            for names in self._all_weights[index * directions : (index + 1) * directions]:
                for name, shape in zip(names, shapes, strict=False):
                    setattr(self, name, parameter(*shape))
            features = directions * width
        for name, width in self._learned_states.items():
            setattr(self, name, parameter(width))
        if self._has_widths:
            self.reset_parameters()

    @property
    def _additions(self) -> str:
        """What no layer of PyTorch has, as the constructor takes it; empty if there is nothing."""
        names = ("learn_initial_state", "residual")
        widths = [f"hidden_size={[*self.hidden_size]}"] if self._has_widths else []
        return ", ".join(widths + [f"{name}=True" for name in names if getattr(self, name)])

    def reset_parameters(self) -> None:
        """Draw the weights anew, uniform in ``±1 / sqrt(hidden_size)``, and set learned initial states to zeros."""
        if not self._additions:
            super().reset_parameters()  # type: ignore[misc]
            return
        for name, parameter in self.named_parameters():
            index = re.search(r"_l(\d+)", name)[1]  # type: ignore[index]
            if re.search(r"\b[hc]_0_l", name):
                init.zeros_(parameter)
            else:
                bound = 1 / math.sqrt(self._widths[int(index)])
                init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        if not self._has_widths:  # else cuDNN has no word for it
            super().flatten_parameters()  # type: ignore[misc]

    def extra_repr(self) -> str:
        names = ("learn_initial_state", "residual")
        theirs: str = super().extra_repr()  # type: ignore[misc]
        return ", ".join([theirs, *(f"{name}=True" for name in names if getattr(self, name))])


def _with_one_width(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The widths, if ``hidden_size`` is a list of them, and arguments with the first in their place."""
    given = args[1] if len(args) > 1 else kwargs.get("hidden_size")
    if not isinstance(given, list | tuple):
        return None, args, kwargs
    widths = widths_of(given, args[2] if len(args) > 2 else kwargs.get("num_layers"))
    if len(args) > 1:
        return widths, (args[0], widths[0], len(widths), *args[3:]), kwargs
    return widths, args, kwargs | {"hidden_size": widths[0], "num_layers": len(widths)}
