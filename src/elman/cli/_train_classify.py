"""``elman train classify``."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from elman.tasks import TextClassifier
    from elman.tasks._examples import Examples

__all__ = ["classify"]

DATA, MODEL, TRAINING, RUNNING = "Data", "Network", "Training", "Running"


def classify(
    file: Annotated[Path, typer.Argument(help="Texts with labels: .csv, .tsv or .jsonl.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to write the model to.", rich_help_panel=DATA, show_default=False)],
    text: Annotated[str, typer.Option(help="Column of the texts.", rich_help_panel=DATA)] = "text",
    label: Annotated[str, typer.Option(help="Column of the labels.", rich_help_panel=DATA)] = "label",
    encoding: Annotated[str, typer.Option(help="Encoding of the files.", rich_help_panel=DATA)] = "utf-8",
    validation: Annotated[
        str,
        typer.Option(metavar="FRACTION|FILE", help="Part to choose the best epoch by.", rich_help_panel=DATA),
    ] = "0.1",
    tokens: Annotated[
        str | None,
        typer.Option(metavar="char|word", help="Default: chosen from the texts.", rich_help_panel=DATA),
    ] = None,
    max_length: Annotated[int, typer.Option(help="Tokens read of a text.", rich_help_panel=DATA)] = 512,
    hidden_size: Annotated[int, typer.Option(help="Units of a layer and direction.", rich_help_panel=MODEL)] = 128,
    embedding_size: Annotated[int, typer.Option(help="Width of a token's vector.", rich_help_panel=MODEL)] = 128,
    layers: Annotated[int, typer.Option(help="Recurrent layers.", rich_help_panel=MODEL)] = 1,
    bidirectional: Annotated[bool, typer.Option(help="Read backwards as well.", rich_help_panel=MODEL)] = True,
    dropout: Annotated[float, typer.Option(help="Share of features forgotten.", rich_help_panel=MODEL)] = 0.4,
    engine: Annotated[
        str, typer.Option(metavar="elman|torch", help="Whose recurrent layer.", rich_help_panel=MODEL)
    ] = "elman",
    learning_rate: Annotated[float, typer.Option(help="The greatest.", rich_help_panel=TRAINING)] = 3e-3,
    epochs: Annotated[
        int | None,
        typer.Option(help="At most. Default: 6 to 60, by the data's size.", rich_help_panel=TRAINING),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Default: 16 to 64, by the data's size.", rich_help_panel=TRAINING)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is random.", rich_help_panel=TRAINING)] = 0,
    threads: Annotated[int | None, typer.Option(help="Default: one a core.", rich_help_panel=RUNNING)] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a stopped run.", rich_help_panel=RUNNING)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the model in --out.", rich_help_panel=RUNNING)
    ] = False,
) -> None:
    """Train a text classifier on a file of texts with labels."""
    values = dict(locals())
    from elman.tasks import InputError, TextClassifier

    if resume and overwrite:
        raise InputError("--resume goes on with a run and --overwrite starts anew: expected one of them")
    names = TextClassifier().get_params().keys()
    fraction, validation_file = _validation(validation)
    classifier = TextClassifier(**{name: values[name] for name in names} | {"validation": fraction})
    _check(classifier)
    if resume and _is_finished(out, classifier):
        print(f"{out}: the run has finished already, there is nothing to resume")
        return
    examples = _read(file, text, label, encoding)
    held = _read_validation(validation_file, text, label, encoding, examples) if validation_file else None
    _train(classifier, examples, held, out, resume=resume, overwrite=overwrite)
    classifier.columns_ = {"text": text, "label": label}
    classifier.data_["file"] = file.name
    _finish(classifier, out)


def _check(classifier: "TextClassifier") -> None:
    from elman.tasks._options import check_options

    check_options(classifier.get_params())


def _validation(value: str) -> tuple[float, Path | None]:
    try:
        return float(value), None
    except ValueError:
        return 0.0, Path(value)


def _is_finished(out: Path, classifier: "TextClassifier") -> bool:
    from elman.runtime._model_folder import read_model
    from elman.tasks import InputError

    if (out / "checkpoint").is_dir() or not (out / "config.json").is_file():
        return False
    made_with = read_model(out).config.options
    for name, value in classifier.get_params().items():
        if name != "threads" and made_with.get(name) != value:
            option = name.replace("_", "-")
            raise InputError(f"{out}: holds a finished model with --{option} {made_with.get(name)}, got {value}")
    return True


def _read(file: Path, text: str, label: str, encoding: str) -> "Examples":
    from elman.tasks import InputError
    from elman.tasks._examples import read_examples

    examples = read_examples(file, text, label, encoding)
    if len(set(examples.labels)) < 2:
        only = examples.labels[0]
        raise InputError(f"{file}, column {label!r}: expected two classes or more, all rows have {only!r}")
    return examples


def _read_validation(file: Path, text: str, label: str, encoding: str, training: "Examples") -> "Examples":
    from elman.tasks import InputError
    from elman.tasks._examples import read_examples

    examples = read_examples(file, text, label, encoding)
    known = set(training.labels)
    for line, value in zip(examples.lines, examples.labels, strict=True):
        if value not in known:
            raise InputError(f"{file}, line {line}, column {label!r}: expected a label seen in training, got {value!r}")
    return examples


def _train(
    classifier: "TextClassifier", examples: "Examples", held: Any, out: Path, *, resume: bool, overwrite: bool
) -> None:
    from elman.cli._display import observer
    from elman.runtime._model_folder import claim_folder
    from elman.tasks._checkpoints import remove_checkpoint

    claim_folder(out, overwrite=overwrite, resume=resume)
    if not resume:
        remove_checkpoint(out)
    with observer() as watching:
        try:
            classifier.fit(
                examples.texts,
                examples.labels,
                validation=(held.texts, held.labels) if held else None,
                checkpoints=out,
                resume=resume,
                observer=watching,
            )
        except KeyboardInterrupt:
            watching.stop()
            _say_how_to_go_on(out)
            raise typer.Exit(130) from None


def _say_how_to_go_on(out: Path) -> None:
    words = [word for word in sys.argv[1:] if word not in ("--resume", "--overwrite")]
    print(f"\ninterrupted; the last checkpoint is kept in {out / 'checkpoint'}. Go on with\n", file=sys.stderr)
    print(f"  {shlex.join(['elman', *words, '--resume'])}\n", file=sys.stderr)


def _finish(classifier: "TextClassifier", out: Path) -> None:
    from elman.tasks._checkpoints import remove_checkpoint

    classifier.save(out, overwrite=True)
    remove_checkpoint(out)
    metrics = classifier.metrics_
    accuracy = metrics.get("validation_accuracy")
    scored = "" if accuracy is None else f", validation accuracy {accuracy:.2%}"
    folder = shlex.quote(f"{out}/")
    print(f"\nThe model lies in {folder} (epoch {metrics['epoch']} of {metrics['epochs']}{scored}). Next:\n")
    print(f"  elman evaluate {folder} test.csv\n  elman predict {folder} input.txt\n  elman info {folder}")
