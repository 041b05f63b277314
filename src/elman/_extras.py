"""The packages that the base install lacks, and how a person comes by them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import NamedTuple

from elman._errors import one_line

__all__ = ["TORCH", "Extra", "import_fault"]

MODULES = {
    "scikit-learn": "sklearn",
    "cuda-bindings": "cuda.bindings",
}  # what is imported by another name than it is installed by


class Extra(NamedTuple):
    """An extra of ours, and those of its packages that somebody needs, by the names that pip knows."""

    name: str
    packages: tuple[str, ...]

    def require(self, user: str) -> None:
        """See that the packages are there; none is imported.

        Args:
            user: what needs them, for the message.

        Raises:
            ImportError: one is absent (then a ModuleNotFoundError), or older than what we know; one line, which ends in
                the command that installs it.
        """
        for package in self.packages:
            module = _module(package)
            if not _is_there(module):
                raise ModuleNotFoundError(f"{user} needs {package}: {_advice(self.name)}", name=module)
            least, found = _versions(package)
            if [] < _parts(found) < _parts(least):
                message = f"{user} needs {package} {least} or later, got {found}: {_advice(self.name)}"
                raise ImportError(message, name=module)

    @contextmanager
    def needed_by(self, user: str) -> Iterator[None]:
        """Require the packages for the imports that stand within; what fails inside of one says so itself."""
        self.require(user)
        yield


TORCH = Extra("torch", ("torch",))


def import_fault(error: BaseException) -> str | None:
    """Say which package failed while it was imported, and of what, if an error comes of that."""
    trace = error.__traceback__
    while trace:
        frame = trace.tb_frame
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if frame.f_code.co_name == "<module>" and package != "elman":
            return f"{package} cannot be imported: {type(error).__name__}: {one_line(error)}"
        trace = trace.tb_next
    return None


def _module(package: str) -> str:
    return MODULES.get(package, package.replace("-", "_"))


def _is_there(module: str) -> bool:
    if sys.modules.get(module):
        return True
    parent = module.rpartition(".")[0]
    if parent and find_spec(parent) is None:
        return False
    spec = find_spec(module)
    return spec is not None and spec.origin is not None  # a mere folder of that name has none


def _versions(package: str) -> tuple[str, str]:
    """Return the oldest version of a package that we know and the installed one, nothing where nobody says."""
    from importlib.metadata import PackageNotFoundError, requires, version

    try:
        found = version(package)
        wanted = [line for line in requires("elman") or () if re.match(rf"{re.escape(package)}\b(?!-)", line)]
    except PackageNotFoundError:  # of an interpreter's own, or of a build that wrote none
        return "", ""
    least = re.search(r">=\s*([\d.]+)", wanted[0]) if wanted else None
    return (least[1], found) if least else ("", "")


def _parts(version: str) -> list[int]:
    """Return the numbers that a version begins with."""
    release = re.match(r"\d+(\.\d+)*", version)
    return [int(part) for part in release[0].split(".")] if release else []


def _advice(extra: str) -> str:
    """Return the command that installs an extra from where elman was installed, as PEP 610 keeps it."""
    import json
    import os
    import shlex
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlsplit

    try:
        elman = distribution("elman")
        installer, told = elman.read_text("INSTALLER") or "", json.loads(elman.read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        installer, told = "", {}
    url, vcs = str(told.get("url", "")), told.get("vcs_info")
    folder = unquote(urlsplit(url).path)
    wanted = [f"elman[{extra}]"]
    if vcs:
        revision = f"@{vcs['requested_revision']}" if "requested_revision" in vcs else ""
        wanted = [f"{wanted[0]} @ {vcs['vcs']}+{url}{revision}"]
    elif "dir_info" in told and os.path.isdir(folder):
        wanted = [*(["-e"] if told["dir_info"].get("editable") else []), f"{folder}[{extra}]"]
    pip = ["uv", "pip"] if installer.strip() == "uv" else ["pip"]
    return shlex.join([*pip, "install", *wanted])
