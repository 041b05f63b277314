"""A program written out as a function of Python, on the arrays of any library: what its user would write there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from elman.cells import Program

__all__ = ["function_of"]

OPERATORS = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "fma": "{} * {} + {}",
    "negate": "-{}",
    "less": "{} < {}",
    "less_equal": "{} <= {}",
    "equal": "{} == {}",
}
Step = Callable[[Sequence[Any], Sequence[Any], Sequence[Any], Mapping[str, Any]], tuple[Any, ...]]


def function_of(program: Program, functions: Mapping[str, Callable[..., Any]]) -> Step:
    """Return a function of the gates' two sums, the states before and the inputs by name, to the states after.

    Args:
        program: the cell's.
        functions: the library's, by the names that operations have, for those that are no operators.
    """
    lines = ["def step(u, v, states, inputs):"]
    for place, node in enumerate(program.nodes):
        values = [f"x{value}" for value in node.values]
        if node.operation in OPERATORS:
            right = OPERATORS[node.operation].format(*values)
        elif values:
            right = f"{node.operation}({', '.join(values)})"
        else:
            right = _leaf(node.operation, node.name, node.number, program)
        lines.append(f"    x{place} = {right}")
    lines.append(f"    return ({', '.join(f'x{place}' for place in program.results)},)")
    names: dict[str, Any] = dict(functions)
    exec("\n".join(lines), names)  # of a checked program: names of operations, places and numbers
    step: Step = names["step"]
    return step


def _leaf(operation: str, name: str, number: float, program: Program) -> str:
    if operation == "number":
        return f"float({str(number)!r})"  # also what is not finite
    if operation == "units":
        return "u[0].shape[-1]"
    if operation == "state":
        return f"states[{program.carried.index(name)}]"
    if name in program.gates:
        of = program.gates.index(name)
        return {"gate": f"u[{of}] + v[{of}]", "gate_input": f"u[{of}]", "gate_recurrent": f"v[{of}]"}[operation]
    return f"inputs[{name!r}]"
