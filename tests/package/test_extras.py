"""What is said where a package is absent, or of no use."""

import json
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from elman._extras import TORCH, Extra
from tests.package.environments import run

WHEEL = {"url": "file:///tmp/elman-0.1.0-cp312-abi3-linux_x86_64.whl", "archive_info": {}}
GIT = {"url": "https://host/elman.git", "vcs_info": {"vcs": "git", "commit_id": "0" * 40}}


class Installed:
    """What an installation of elman keeps of itself."""

    def __init__(self, url: object, installer: str = "pip\n") -> None:
        self.files = {"INSTALLER": installer, "direct_url.json": url if isinstance(url, str) else json.dumps(url)}

    def read_text(self, name: str) -> str | None:
        return self.files[name] or None


def said_of(monkeypatch: pytest.MonkeyPatch, installed: Installed) -> str:
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: installed)
    with pytest.raises(ModuleNotFoundError) as caught:
        Extra("train", ("no-such-package",)).require("train")
    assert caught.value.name == "no_such_package"
    return str(caught.value).removeprefix("train needs no-such-package: ")


@pytest.mark.parametrize(
    ("installed", "command"),
    [
        (Installed(""), "pip install 'elman[train]'"),  # from an index
        (Installed(WHEEL), "pip install 'elman[train]'"),
        (Installed("no JSON"), "pip install 'elman[train]'"),
        (Installed("", "uv"), "uv pip install 'elman[train]'"),
        (Installed(GIT), "pip install 'elman[train] @ git+https://host/elman.git'"),
        (
            Installed(GIT | {"vcs_info": {"vcs": "git", "commit_id": "0" * 40, "requested_revision": "v1"}}),
            "pip install 'elman[train] @ git+https://host/elman.git@v1'",
        ),
        (Installed({"url": "file:///no/such/checkout", "dir_info": {}}), "pip install 'elman[train]'"),
    ],
)
def test_the_command_is_that_of_where_elman_comes_from(
    monkeypatch: pytest.MonkeyPatch, installed: Installed, command: str
) -> None:
    assert said_of(monkeypatch, installed) == command


@pytest.mark.parametrize(("told", "option"), [({}, ""), ({"editable": True}, "-e ")])
def test_a_checkout_is_named_by_its_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: dict[str, bool], option: str
) -> None:
    folder = tmp_path / "my elman"
    folder.mkdir()
    said = said_of(monkeypatch, Installed({"url": folder.as_uri(), "dir_info": told}))
    assert said == f"pip install {option}'{folder}[train]'"


def test_elman_that_is_not_installed_is_said_to_be_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Installed:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", absent)
    with pytest.raises(ModuleNotFoundError, match=r"^fit needs nowhere: pip install 'elman\[train]'$"):
        Extra("train", ("nowhere",)).require("fit")


@pytest.mark.parametrize("version", ["1.13.1+cu117", "2.3.1", "2.0"])
def test_a_package_that_is_too_old_is_told_from_an_absent_one(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    with pytest.raises(ImportError, match=r"^elman.nn needs torch \d\S* or later, got ") as caught:
        TORCH.require("elman.nn")
    assert not isinstance(caught.value, ModuleNotFoundError)
    assert f", got {version}: pip install " in str(caught.value)


@pytest.mark.parametrize("version", ["2.4", "2.4.0rc1", "2.13.0a0+git1234", "3.0", "unknown"])
def test_a_package_that_is_new_enough_is_not_judged(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    TORCH.require("elman.nn")


def test_a_folder_of_a_packages_name_is_no_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "my_models").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=r"^export needs my-models: pip install "):
        Extra("onnx", ("my-models",)).require("export")


def test_a_package_that_is_imported_already_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "made_by_hand", sys)  # whose __spec__ is another's
    Extra("onnx", ("made-by-hand",)).require("export")


def test_a_package_that_does_not_suit_another_is_not_taken_for_a_name_that_is_absent(tmp_path: Path) -> None:
    (tmp_path / "sklearn.py").write_text("import math; math.no_such_name")
    program = "import sys; sys.path.insert(0, sys.argv[1]); from elman.tasks import TextClassifier"
    done = run(sys.executable, "-c", program, tmp_path, cwd=tmp_path)
    said = "ImportError: sklearn cannot be imported: AttributeError: module 'math' has no attribute 'no_such_name'"
    assert done.stderr.splitlines()[-1] == said
