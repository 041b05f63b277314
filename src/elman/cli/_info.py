"""``elman info``."""

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["info"]


def info(model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)]) -> None:
    """Show what a model is: sizes, classes, the data it saw, metrics, versions."""
    from elman.tasks import TextClassifier

    classifier = TextClassifier.load(model)
    network = classifier.network_
    parameters = sum(p.numel() for p in network.parameters())
    size = sum(path.stat().st_size for path in model.iterdir() if path.is_file())
    directions = "two directions" if classifier.bidirectional else "one direction"
    _section(
        f"{model}: a text classifier",
        {
            "network": f"embedding {classifier.embedding_size}, "
            f"{classifier.layers} x {classifier.hidden_size} units in {directions}, "
            f"{len(classifier.classes_)} classes",
            "parameters": f"{parameters:,}; the folder takes {size / 1e6:.1f} MB",
            "tokens": f"{classifier.tokens_}, {len(classifier.vocabulary_):,} known, "
            f"{classifier.max_length} read of a text",
            "columns": ", ".join(f"{role} {name!r}" for role, name in classifier.columns_.items()),
        },
    )
    data = dict(classifier.data_)
    counts = data.pop("training_by_class", {})
    _section("data it saw", data)
    _section("texts of each class in training", counts)
    _section("metrics", classifier.metrics_)
    _section("options", classifier.get_params())
    _section("made with", classifier.made_with_)


def _section(title: str, entries: dict[str, Any]) -> None:
    print(title)
    for name, value in entries.items():
        shown = f"{value:.4f}" if isinstance(value, float) and name != "learning_rate" else value
        print(f"  {name.replace('_', ' ')}: {shown}")
    print()
