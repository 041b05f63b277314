"""``elman info``."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from elman._errors import one_line
from elman.cli._arguments import add_model
from elman.cli._parser import Commands, add_command
from elman.cli._wording import printable

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
        _show_classifier(place)


def _show_network(path: Path) -> None:
    from elman.runtime import RNN

    rnn = RNN.load(path)
    parameters = sum(array.size for array in rnn.parameters.values())
    directions = "two directions" if rnn.bidirectional else "one direction"
    _section(
        f"{path}: a recurrent network",
        {
            "network": f"{rnn.input_size} inputs, {rnn.num_layers} x {rnn.hidden_size} units in {directions}, "
            f"{rnn.nonlinearity}, {'with' if rnn.bias else 'without'} biases",
            "input": f"{'(batch, steps' if rnn.batch_first else '(steps, batch'}, {rnn.input_size}), {rnn.dtype}",
            "parameters": f"{parameters:,}; the file takes {path.stat().st_size / 1e6:.1f} MB",
        },
    )


def _show_classifier(folder: Path) -> None:
    from elman.runtime._model_folder import read_model

    model = read_model(folder)
    config, network = model.config, model.config.network
    parameters = sum(tensor.size for tensor in model.tensors.values())
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    directions = "two directions" if network.bidirectional else "one direction"
    _section(
        f"{folder}: a text classifier",
        {
            "network": f"embedding {network.embedding_size}, {network.layers} x {network.hidden_size} units "
            f"in {directions}, {len(config.classes)} classes",
            "parameters": f"{parameters:,}; the folder takes {size / 1e6:.1f} MB",
            "tokens": f"{config.text.tokens}, {len(model.vocabulary):,} known, {config.text.max_length} read of a text",
            "columns": ", ".join(f"{role} {name!r}" for role, name in config.text.columns.items()),
        },
    )
    data = dict(config.data)
    counts = data.pop("training_by_class", {})
    _section("data it saw", data)
    _section("texts of each class in training", counts)
    _section("metrics", model.metrics)
    _section("options", config.options)
    _section("made with", config.made_with)


def _section(title: str, entries: dict[str, Any]) -> None:
    print(title)
    for name, value in entries.items():
        shown = f"{value:.4f}" if isinstance(value, float) and name != "learning_rate" else str(value)
        print(f"  {printable(name.replace('_', ' '))}: {one_line(printable(shown), 1000)}")
    print()
