"""What computes recurrent layers on other devices than the CPU, by the kind of device that the tensors are on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from elman.ops._calls import Call, one_step
from elman.ops._cells import BUILT_IN

__all__ = ["BACK_ENDS", "BackEnd"]


@dataclass(frozen=True)
class BackEnd:
    """Kernels for a kind of device.

    Args:
        admits: what :func:`elman._gate.admits` says, of the engine's own cells.
        takes: whether it runs a call of any cell with these tensors.
        run: as :func:`elman.ops._layer.run`, with ``output_batch_first``.
    """

    admits: Callable[..., bool]
    takes: Callable[[Call, Sequence[Tensor | None]], bool]
    run: Callable[..., tuple[Tensor, ...]]

    def layer(
        self, input: Tensor, batch_sizes: Any, h_0: Any, c_0: Any, weights: Any, *of_call: Any, every_c: bool = False
    ) -> tuple[Tensor, ...]:
        """:func:`elman.ops.layer`."""
        hidden_size, cell, directions, *output_batch_first = of_call
        call = Call(BUILT_IN[cell], directions, hidden_size, batch_sizes)
        return self.run(call, input, h_0, c_0, *weights, every=every_c, output_batch_first=any(output_batch_first))

    def step(self, input: Tensor, h: Any, c: Any, *of_call: Any) -> tuple[Tensor, ...]:
        """:func:`elman.ops.step`."""
        return one_step(self.layer, input, h, c, *of_call)


#: Devices that are not here are PyTorch's, but for the CPU, whose own way is shorter.
BACK_ENDS: dict[str, BackEnd] = {}
