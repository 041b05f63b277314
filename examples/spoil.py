"""Ten spoiled copies of a model, and what is said of each.

    python examples/spoil.py demo/surnames

The copies are made in a temporary folder; the model itself is only read.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import elman


def truncate(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def replace(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content, f"{path} holds no {old!r}"
    path.write_bytes(content.replace(old, new, 1))


def grow_header(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes((2**62).to_bytes(8, "little") + content[8:])


def set_hidden_size(path: Path, size: object) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    config["network"]["hidden_size"] = size
    path.write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")


def link_outside(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


SPOIL: dict[str, Callable[[Path], object]] = {
    "the tensors cut short": lambda m: truncate(m / "model.safetensors", 1000),
    "a header longer than its file": lambda m: grow_header(m / "model.safetensors"),
    "a tensor renamed": lambda m: replace(m / "model.safetensors", b'"output.bias"', b'"output.bIas"'),
    "overlapping offsets": lambda m: replace(m / "model.safetensors", b'"data_offsets":[0,', b'"data_offsets":[4,'),
    "an enormous size": lambda m: set_hidden_size(m / "config.json", 2**31 - 1),
    "a negative size": lambda m: set_hidden_size(m / "config.json", -128),
    "a version from the future": lambda m: replace(m / "config.json", b'"version": 1', b'"version": 99'),
    "a key twice": lambda m: replace(m / "config.json", b'"version": 1', b'"version": 1, "version": 1'),
    "bytes that are no UTF-8": lambda m: (m / "vocabulary.txt").write_bytes(b"\xff\xfe"),
    "a link out of the folder": lambda m: link_outside(m / "vocabulary.txt"),
}


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} MODEL")
    model = Path(sys.argv[1])
    elman.load(model)  # sound before it is spoiled
    with tempfile.TemporaryDirectory() as folder:
        for number, (what, spoil) in enumerate(SPOIL.items(), start=1):
            copy = Path(folder) / f"copy{number}"
            shutil.copytree(model, copy)
            spoil(copy)
            try:
                elman.load(copy)
            except elman.InputError as error:
                print(f"{what}:\n    {str(error).replace(folder, '…')}")
            else:
                sys.exit(f"{what}: was not refused")


if __name__ == "__main__":
    main()
