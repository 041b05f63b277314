"""What is timed: shapes and kinds of work."""

from typing import NamedTuple

from elman._cells import FAMILIES, Family
from elman._errors import OptionError, either
from elman.bench._own import Own

__all__ = ["KINDS", "SHAPES", "STEPS", "Case", "Shape", "cases_of"]

KINDS = ("inference", "training", "step")


class Shape(NamedTuple):
    """The sizes of one layer and its input."""

    steps: int
    batch: int
    input_size: int
    hidden_size: int

    @classmethod
    def parse(cls, text: str) -> "Shape":
        """Read ``steps,batch,input,hidden``.

        Raises:
            OptionError: it is no such text.
        """
        try:
            shape = cls(*map(int, text.split(",")))
        except (TypeError, ValueError):
            shape = cls(0, 0, 0, 0)
        if min(shape) < 1:
            raise OptionError("shape", "STEPS,BATCH,INPUT,HIDDEN, four integers of at least 1", text)
        return shape

    def __str__(self) -> str:
        return ",".join(map(str, self))


class Case(NamedTuple):
    """A shape, what is done at it, and the cell, by its name in ``FAMILIES``, or the user's own."""

    kind: str
    shape: Shape
    cell: str = "rnn"
    own: Own | None = None

    @property
    def family(self) -> Family:
        return self.own.family if self.own else FAMILIES[self.cell]

    @property
    def engine_cell(self) -> str:
        """The engine's cell: a family's first mode, which is PyTorch's default."""
        return next(iter(self.family.modes.values()))

    @property
    def flops(self) -> int:
        """Those of the matrix products: input projection and recurrence of each gate; backward has each twice."""
        steps, batch, input_size, hidden_size = self.shape
        rows = len(self.family.gates) * hidden_size
        depth = input_size + hidden_size * self.family.is_recurrent
        return 2 * steps * batch * rows * depth * (3 if self.kind == "training" else 1)

    def __str__(self) -> str:
        return f"{self.kind} {self.shape}"  # a run has one cell


SHAPES = (
    Shape(1, 1, 4, 6),
    Shape(3, 1, 2, 4),
    Shape(100, 1, 32, 64),
    Shape(100, 1, 128, 256),
    Shape(1000, 1, 16, 32),
    Shape(100, 32, 64, 64),
    Shape(100, 32, 128, 128),
    Shape(100, 32, 256, 256),
    Shape(100, 64, 512, 512),
    Shape(50, 64, 1024, 1024),
    Shape(200, 16, 40, 128),
)
STEPS = (Shape(1, 1, 4, 6), Shape(1, 1, 64, 64))  # of which one step is timed
OF_OWN = (Shape(100, 1, 32, 64), Shape(100, 32, 64, 64), Shape(100, 32, 128, 128))  # compiling takes minutes for each


def cases_of(kinds: list[str], shapes: list[Shape], cell: str = "rnn", own: Own | None = None) -> list[Case]:
    """Return the cases of some kinds (none: all) at some shapes (none: the usual ones).

    Raises:
        OptionError: there is no such cell or kind, or a single step is asked for, and no shape has one step and row; or
            the values of the user's own cell are for another hidden size.
    """
    if own:
        cell = own.family.name
    elif cell not in FAMILIES:
        raise OptionError("cell", either(FAMILIES), cell)
    for kind in kinds:
        if kind not in KINDS:
            raise OptionError("what", either(KINDS), kind)
    single = [shape for shape in shapes if shape.steps == shape.batch == 1]
    if shapes and "step" in kinds and not single:
        raise OptionError("what", "inference or training, or a --shape that begins with 1,1", "step")
    usual, usual_steps = (_of_width(OF_OWN, own.width), _of_width(STEPS[1:], own.width)) if own else (SHAPES, STEPS)
    for shape in shapes:
        if own and own.width not in (None, shape.hidden_size):
            raise OptionError("shape", f"a hidden size of {own.width}, as many values the cell has", str(shape))
    of_kind = {"inference": shapes or usual, "training": shapes or usual, "step": single if shapes else usual_steps}
    return [Case(kind, shape, cell, own) for kind in KINDS if kind in (kinds or KINDS) for shape in of_kind[kind]]


def _of_width(shapes: tuple[Shape, ...], width: int | None) -> tuple[Shape, ...]:
    """Return shapes with this hidden size, each once."""
    return shapes if width is None else tuple(dict.fromkeys(shape._replace(hidden_size=width) for shape in shapes))
