"""Models each of whose five files says which model it belongs to."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from elman.runtime._model_folder import EpochRecord, Model, read_model
from elman.runtime._vocabulary import Vocabulary

VERSION_1 = Path(__file__).parents[1] / "models" / "version_1"
FILES = {path.name for path in VERSION_1.iterdir()}


def marked(mark: int) -> Model:
    sound = read_model(VERSION_1)
    return replace(
        sound,
        origin=replace(sound.origin, options={"seed": mark}),
        tensors={name: np.full_like(array, mark) for name, array in sound.tensors.items()},
        vocabularies={"vocabulary": Vocabulary(f"{mark} {number}" for number in range(198))},
        metrics={"epoch": mark},
        history=[EpochRecord(mark, 0.5, {}, 0.0)],
    )


def mark_of(folder: Path) -> int:
    """Which model lies in a folder, all of it."""
    model = read_model(folder)
    mark: int = model.metrics["epoch"]
    assert model.origin.options == {"seed": mark}
    assert all((array == mark).all() for array in model.tensors.values())
    assert model.vocabularies["vocabulary"].tokens == marked(mark).vocabularies["vocabulary"].tokens
    assert [record.epoch for record in model.history] == [mark]
    return mark
