"""Programs of any mathematics, as somebody chooses."""

from collections.abc import Callable, Sequence
from typing import Any

from elman.cells import Program
from elman.cells._program import ARITIES, MASKS, Node

LEAVES = [
    Node("gate", name="a"),
    Node("gate_input", name="n"),
    Node("gate_recurrent", name="n"),
    Node("state", name="h"),
    Node("state", name="c"),
    Node("unit", name="leak"),
    Node("sequence", name="mask"),
    Node("step", name="noise"),
    Node("number", number=0.5),
    Node("units"),
]
# where these are not smooth, or have no value, autograd and the rules may differ by a half or by NaN
SMOOTH = [name for name in ARITIES if name not in {"divide", "log", "sqrt", "select", *MASKS}]


def chosen_program(choose: Callable[[Sequence[Any]], Any]) -> Program:
    """Roots, quotients and logarithms are of what is above 0.

    Args:
        choose: one of what it is given.
    """
    nodes = [*LEAVES]

    def add(operation: str, *values: int) -> int:
        nodes.append(Node(operation, values))
        return len(nodes) - 1

    values = [*range(len(nodes))]
    for _ in range(choose(range(1, 13))):
        operation = choose([*SMOOTH, "divide", "log", "sqrt", "select"])
        if operation == "select":
            comparison = add(choose(sorted(MASKS)), choose(values), choose(values))
            values.append(add("select", comparison, choose(values), choose(values)))
        elif operation in SMOOTH:
            taken = [
                add("tanh", choose(values)) if operation == "exp" else choose(values) for _ in range(ARITIES[operation])
            ]
            values.append(add(operation, *taken))
        else:
            above_0 = add("softplus", choose(values))
            values.append(add("divide", choose(values), above_0) if operation == "divide" else add(operation, above_0))
    inputs = {"leak": "unit", "mask": "sequence", "noise": "step"}
    return Program(("a", "n"), ("h", "c"), inputs, tuple(nodes), (values[-1], choose(values)))
