"""``elman train language``."""

from argparse import Namespace
from pathlib import Path

from elman.cli._arguments import integer, number
from elman.cli._parser import Commands, add_command
from elman.cli._training import NEEDS, Data, add_files, add_network, add_running, add_training, train

__all__ = ["add_language", "language"]

NEXT = (
    "elman generate {model} --length 200 --temperature 0.8",
    "elman evaluate {model} test.txt",
    "elman info {model}",
)


def add_language(commands: Commands) -> None:
    summary = "Train a language model on a text, which may be larger than memory."
    parser = add_command(commands, "language", summary, language, NEEDS)
    parser.arguments.add_argument("file", metavar="FILE", type=Path, help="The text")
    data = parser.add_argument_group("Data")
    add_files(data, "Tail of the text, or another text, to choose the best epoch by", share=0.05)
    data.add_argument("--tokens", metavar="char|word", default="char", help="What a token is")
    network = parser.add_argument_group("Network")
    add_network(network, hidden_size=256, embedding_size=128, dropout=0.2)
    network.add_argument(
        "--ngram", metavar="N", type=integer, default=6, help="Tokens of the longest n-gram read whole"
    )
    forgotten = "Share of n-grams forgotten (default: 0.3 to 0.8, by the text's length)"
    network.add_argument("--ngram-dropout", metavar="FRACTION", type=number, help=forgotten)
    training = parser.add_argument_group("Training")
    epochs = "At most (default: 1 to 8, by the text's length)"
    batch_size = "Of windows (default: 4 to 64, by the text's length)"
    add_training(training, learning_rate=4e-3, epochs=epochs, batch_size=batch_size)
    training.add_argument("--window", metavar="N", type=integer, default=64, help="Steps that gradients reach back")
    add_running(parser.add_argument_group("Running"))


def language(options: Namespace) -> int:
    return train(options, "LanguageModel", lambda: _read(options), NEXT)


def _read(options: Namespace) -> Data:
    from elman.tasks._language.texts import blocks, read_corpus

    held = options.validation
    if isinstance(held, Path):
        held = blocks(held, options.encoding)
    folder = next(folder for folder in options.out.absolute().parents if folder.is_dir())
    named = {"encoding": options.encoding, "folder": folder}
    return Data((read_corpus(options.file, held, options.tokens, options.window, **named),))
