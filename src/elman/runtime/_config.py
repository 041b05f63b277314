"""``config.json``: the kind of model, the settings of its kind, and how it was made."""

from dataclasses import dataclass, field, fields
from reprlib import repr as shortened
from typing import Any

from elman._errors import InputError
from elman._schema import build, parse_json, stated
from elman.runtime._kinds import kind_named
from elman.runtime._trained import TrainedModel

__all__ = ["VERSION", "Origin", "config_values", "read_config", "read_kind"]

VERSION = 1


@dataclass(frozen=True)
class Origin:
    """How a model was made, for people; ``run`` is what ``elman train --config`` repeats."""

    options: dict[str, Any]
    data: dict[str, Any]
    made_with: dict[str, str]
    run: dict[str, Any] = field(default_factory=dict)


def config_values(kind: type[TrainedModel], settings: Any, origin: Origin) -> dict[str, Any]:
    """Return what ``config.json`` holds of a model."""
    values = {"format": kind.format, "version": VERSION, **stated(settings), **stated(origin)}
    return values if origin.run else {name: value for name, value in values.items() if name != "run"}


def read_kind(content: bytes, name: str, kind: type[TrainedModel] | None = None) -> tuple[type[TrainedModel], Any]:
    """Return the kind of model that a file speaks of, and what it holds.

    Args:
        content: the file's bytes.
        name: the file's, for messages.
        kind: the one expected; None: any.

    Raises:
        InputError: it is of another kind or version.
    """
    values = parse_json(content, name)
    head = values if isinstance(values, dict) else {}
    named = head.get("format")
    if kind and named != kind.format:
        raise InputError(f"{name}: expected the format {kind.format!r}, got {shortened(named)}")
    kind = kind or kind_named(named, name)
    version = head.get("version")
    if type(version) is not int or version != VERSION:
        raise InputError(f"{name}: expected version {VERSION}, got version {shortened(version)}")
    return kind, values


def read_config(
    content: bytes, name: str, kind: type[TrainedModel] | None = None
) -> tuple[type[TrainedModel], Any, Origin]:
    """Read a configuration: the kind of model, the settings of its kind, and how it was made.

    Args:
        content, name, kind: as for :func:`read_kind`.

    Raises:
        InputError: it is of another kind or version, or damaged.
    """
    kind, values = read_kind(content, name, kind)
    del values["format"], values["version"]
    ours = {known.name for known in fields(Origin)}
    settings = build({key: value for key, value in values.items() if key not in ours}, kind.Settings, name)
    origin = build({key: value for key, value in values.items() if key in ours}, Origin, name)
    build(origin.data.get("training_by_class", {}), dict[str, int], name, "data.training_by_class")
    settings.check(name)
    return kind, settings, origin
