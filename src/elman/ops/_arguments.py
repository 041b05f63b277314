"""What the registered operators are given, by name: the one place that knows the order of their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from elman.ops._calls import Call
from elman.ops._cells import of_text

__all__ = ["LAYER", "LAYER_BACKWARD", "Arguments", "Backward"]

#: Of both, but for the last argument of the first.
LAYER = (
    "Tensor input, Tensor? batch_sizes, Tensor? lengths, Tensor? resets, Tensor? h_0, Tensor? c_0, "
    "Tensor? h_reset, Tensor? c_reset, Tensor?[] given, str cell, int directions, bool every"
)
LAYER_BACKWARD = f"Tensor?[] d_results, Tensor output, Tensor kept, {LAYER}, bool[] needed, bool deltas"
_TENSORS = 8  # before those that are given


class Arguments(NamedTuple):
    """Of ``elman::layer``, but for the last, which says whether it keeps what its gradients need.

    Args:
        input, batch_sizes, h_0, c_0, given: as of :class:`~elman.ops._calls.Call`.
        lengths: of padded input the steps of each sequence, ``(batch)``, int64. What lies behind them is not read, and
            the output there is zeros.
        resets: of padded input before which steps the states are set to the following, ``(steps, batch)``, boolean.
        h_reset, c_reset: as ``h_0`` and ``c_0``, or both without the batch; None counts as zeros. Read with ``lengths``
            or ``resets`` only, where they also stand for an initial state that is None.
        cell: :attr:`~elman.ops._cells.EngineCell.text`.
        directions: 1 or 2.
        every: whether the states but the first are returned after every step.
    """

    input: Any
    batch_sizes: Any
    lengths: Any
    resets: Any
    h_0: Any
    c_0: Any
    h_reset: Any
    c_reset: Any
    given: Sequence[Any]
    cell: str
    directions: int
    every: bool

    @property
    def call(self) -> Call:
        cell = of_text(self.cell, self.given[0].shape[0])
        return Call(cell, self.directions, self.given[0].shape[0] // cell.gates, self.batch_sizes)

    @property
    def is_whole(self) -> bool:
        return self.lengths is None and self.resets is None

    @property
    def tensors(self) -> list[Any]:
        """What a call is given."""
        return [self.input, self.h_0, self.c_0, *self.given]

    @property
    def flat(self) -> list[Any]:
        """All tensors."""
        return [*self[:_TENSORS], *self.given]

    def having(self, flat: Sequence[Any]) -> Arguments:
        """These with other tensors."""
        return Arguments._make((*flat[:_TENSORS], [*flat[_TENSORS:]], *self[_TENSORS + 1 :]))

    @staticmethod
    def of_tensors(of_flat: Sequence[Any]) -> tuple[Any, ...]:
        """From what there is for each of all tensors to that for each of what a call is given."""
        return of_flat[0], *of_flat[4:6], *of_flat[_TENSORS:]

    @staticmethod
    def of_flat(of_tensors: Sequence[Any]) -> list[Any]:
        """The inverse, with None for the others."""
        return [of_tensors[0], *[None] * 3, *of_tensors[1:3], None, None, *of_tensors[3:]]


class Backward(NamedTuple):
    """Of ``elman::layer_backward``.

    Args:
        d_results: of the results but the last, which is what is kept; None for those through which nothing comes.
        output, kept: of the results.
        arguments: of the call.
        needed: for each of all its tensors.
        deltas: whether those of every row come last: see :func:`~elman.ops._calls.backward`.
    """

    d_results: Sequence[Any]
    output: Any
    kept: Any
    arguments: Arguments
    needed: Sequence[bool]
    deltas: bool

    @classmethod
    def of(cls, given: Sequence[Any]) -> Backward:
        return cls._make((*given[:3], Arguments(*given[3:-2]), *given[-2:]))

    @property
    def as_given(self) -> tuple[Any, ...]:
        return [*self.d_results], self.output, self.kept, *self.arguments, [*self.needed], self.deltas

    @property
    def flat(self) -> list[Any]:
        """All tensors."""
        return [*self.d_results, self.output, self.kept, *self.arguments.flat]

    def having(self, flat: Sequence[Any]) -> Backward:
        """These with other tensors."""
        (*d_results, output, kept), rest = flat[: len(self.d_results) + 2], flat[len(self.d_results) + 2 :]
        return self._replace(d_results=d_results, output=output, kept=kept, arguments=self.arguments.having(rest))
