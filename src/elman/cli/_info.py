"""``elman info``."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman._errors import one_line
from elman._figures import figure, size, worded
from elman.cli._arguments import add_model
from elman.cli._parser import Commands, add_command
from elman.cli._wording import printable, wrapped

if TYPE_CHECKING:
    from elman.runtime._model_folder import Model

__all__ = ["add_info", "info"]


def add_info(commands: Commands) -> None:
    summary = "Show what a model is: sizes, classes, the data it saw, metrics, versions."
    parser = add_command(commands, "info", summary, info)
    add_model(parser.arguments, "A model folder, or the safetensors file of a network")


def info(options: Namespace) -> None:
    place = options.model
    if place.is_file():
        _show_network(place)
    else:
        _show_model(place)


def _show_network(path: Path) -> None:
    from elman.runtime._saving import load_network

    rnn = load_network(path)
    parameters = sum(array.size for array in rnn.parameters.values())
    directions = "two directions" if rnn.bidirectional else "one direction"
    widths = rnn.hidden_size
    units = " and ".join(map(str, widths)) if isinstance(widths, tuple) else f"{rnn.num_layers} x {widths}"
    besides = ", learned initial states" * rnn.learn_initial_state + ", residual" * rnn.residual
    _section(
        f"{path}: a recurrent network",
        {
            "network": f"{rnn.input_size} inputs, {units} units in {directions}, "
            f"{getattr(rnn, 'nonlinearity', _cell(rnn))}, {'with' if rnn.bias else 'without'} biases{besides}",
            "input": f"{'(batch, steps' if rnn.batch_first else '(steps, batch'}, {rnn.input_size}), {rnn.dtype}",
            "parameters": f"{parameters:,}; the file takes {size(path.stat().st_size)}",
        },
    )


def _cell(rnn: Any) -> str:
    if not hasattr(rnn, "program"):
        title: str = rnn.family.title
        return title
    return f"a cell of one's own (gates {', '.join(rnn.program.gates)}; states {', '.join(rnn.program.states)})"


def _show_model(folder: Path) -> None:
    from elman.cli.kinds import module_of
    from elman.runtime._model_folder import read_model

    model = read_model(folder)
    described = module_of(model.kind).describe(model.kind(model.settings, model.tensors, model.vocabularies))
    parameters = sum(tensor.size for tensor in model.tensors.values())
    taken = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    measure = {"parameters": f"{parameters:,}; the folder takes {size(taken)}"}
    _section(f"{folder}: a {model.kind.format.removeprefix('elman ')}", described | measure)
    data = dict(model.origin.data)
    counts = data.pop("training_by_class", {})
    _section("data it saw", data)
    if counts:
        _section("examples of each class in training", counts)
    _section("metrics", _rated(model))
    options = model.origin.options
    _section("options", {name: "by default" if value is None else str(value) for name, value in options.items()})
    _section("made with", model.origin.made_with)


def _rated(model: "Model") -> dict[str, Any]:
    """Return the metrics, and beside them on how few examples they rest."""
    held = model.metrics.get("validation_examples", model.origin.data.get("validation"))
    few = isinstance(held, int) and held > 0 and model.kind.few(held)
    metrics = {name: "unknown" if value is None else value for name, value in model.metrics.items()}
    return metrics | ({"validation_examples": f"{few}: the scores are rough"} if few else {})


def _section(title: str, entries: dict[str, Any]) -> None:
    print(title)
    for name, value in entries.items():
        shown = figure(value) if isinstance(value, float) else str(value)
        print(wrapped(f"  {printable(worded(name))}: {one_line(printable(shown), 1000)}", indent="    "))
    print()
