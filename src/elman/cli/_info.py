"""``elman info``."""

from argparse import Namespace
from typing import Any

from elman.cli._arguments import add_model
from elman.cli._parser import Commands, add_command

__all__ = ["add_info", "info"]


def add_info(commands: Commands) -> None:
    summary = "Show what a model is: sizes, classes, the data it saw, metrics, versions."
    parser = add_command(commands, "info", summary, info)
    add_model(parser.arguments)


def info(options: Namespace) -> None:
    from elman.runtime._model_folder import read_model

    folder = options.model
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
        shown = f"{value:.4f}" if isinstance(value, float) and name != "learning_rate" else value
        print(f"  {name.replace('_', ' ')}: {shown}")
    print()
