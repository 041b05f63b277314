"""``elman export``."""

from argparse import Namespace
from pathlib import Path

from elman._figures import size
from elman.cli._arguments import add_model
from elman.cli._parser import Commands, add_command

__all__ = ["add_export", "export"]


def add_export(commands: Commands) -> None:
    parser = add_command(commands, "export", "Write a model as an ONNX file.", export)
    add_model(parser.arguments, "A model folder, or the safetensors file of a network")
    parser.arguments.add_argument("out", metavar="OUT.onnx", type=Path, help="The file to write")
    parser.options.add_argument("--overwrite", action="store_true", help="Replace the file")


def export(options: Namespace) -> None:
    from elman import runtime

    runtime.export(options.model, options.out, overwrite=options.overwrite)
    print(f"{options.out}: {size(options.out.stat().st_size)}, for ONNX Runtime")
