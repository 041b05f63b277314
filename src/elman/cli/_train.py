"""``elman train``, the commands that train a model."""

from elman.cli._parser import Commands, add_command
from elman.cli._train_classify import add_classify

__all__ = ["add_train"]


def add_train(commands: Commands) -> None:
    parser = add_command(commands, "train", "Train a model.")
    add_classify(parser.add_commands("task"))
