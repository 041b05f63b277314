"""What a person sees of a training run, by lines and on a terminal."""

import io
import re
from contextlib import redirect_stdout

import pytest

from elman.tasks import InputError, TextClassifier
from elman.tasks._run import EpochRecord, Observer, Progress
from elman.tasks._screen import Lines, screen
from tests.tasks.lines import LABELS, TEXTS

STEPS = 5
TASKS = {
    "classify": lambda epoch: {"validation_loss": 1 / epoch, "validation_accuracy": 1 - 0.5 / epoch},
    "tag": lambda epoch: {
        "validation_loss": 1 / epoch, "validation_f1": 1 - 0.5 / epoch, "validation_accuracy": 1 - 0.3 / epoch
    },
    "language": lambda epoch: {
        "validation_bits_per_character": 8 + 1 / epoch, "validation_perplexity": 12345.6 / epoch
    },
    "forecast": lambda epoch: {
        "validation_mae": 1.5e5 / epoch, "validation_mae_over_seasonal_naive": 1 / epoch
    },
}  # fmt: skip
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run(observer, epochs, scores_of, best=lambda epoch: True, seconds=1.5):
    """Let an observer hear of a run that ends early, three epochs after its best."""
    progress = Progress()
    observer.notice("1,000 texts to train on")
    observer.began(progress, epochs, STEPS)
    for epoch in range(1, epochs - 1):
        for step in range(1, STEPS + 1):
            observer.stepped(epoch, step, 1 / epoch, 32)
        progress.history.append(EpochRecord(epoch, 1 / epoch, scores_of(epoch), seconds))
        progress.epochs = epoch
        if best(epoch):
            progress.best_epoch = epoch
        observer.epoch_ended(progress.history[-1], best(epoch))
    observer.ended(progress)


def lines_of(capsys, *given, every=False, **named):
    run(Lines(every), *given, **named)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("every", [False, True])
def test_lines_of_epochs_fit_80_columns_and_stand_under_their_heads(capsys, task, every):
    _, heads, *lines = lines_of(capsys, 300, TASKS[task], every=every, seconds=123.4)
    assert max(map(len, [heads, *lines])) <= 80
    assert {len(line.removesuffix("  kept")) for line in lines} == {len(heads)}


def test_heads_say_what_was_measured_and_on_what(capsys):
    heads = {task: lines_of(capsys, 9, scores)[1].split("  ") for task, scores in TASKS.items()}
    assert [[head.strip() for head in each if head][2:-1] for each in heads.values()] == [
        ["validation loss", "accuracy"],
        ["validation loss", "F1", "accuracy"],
        ["validation bits per character", "perplexity"],
        ["validation MAE", "MAE over seasonal naive"],
    ]


def test_only_epochs_that_did_better_have_a_line(capsys):
    lines = lines_of(capsys, 10, TASKS["classify"], best=lambda epoch: epoch in (1, 3, 4))
    assert [line.split()[0] for line in lines[2:]] == ["1/10", "3/10", "4/10"]
    every = lines_of(capsys, 10, TASKS["classify"], every=True, best=lambda epoch: epoch in (1, 3, 4))
    assert [line.split()[0] for line in every[2:]] == [f"{epoch}/10" for epoch in range(1, 9)]
    assert [line.endswith("  kept") for line in every[2:]] == [epoch in (1, 3, 4) for epoch in range(1, 9)]


@pytest.mark.parametrize("scores", [TASKS["forecast"], lambda epoch: {}], ids=["validated", "not"])
def test_however_often_a_run_does_better_it_prints_few_lines(capsys, scores):
    assert len(lines_of(capsys, 300, scores)) == 2 + 25
    assert len(lines_of(capsys, 100, scores)) == 2 + 19
    assert len(lines_of(capsys, 300, scores, every=True)) == 2 + 298


def test_an_epoch_that_is_kept_without_a_better_score_has_no_line(capsys):
    lines = lines_of(capsys, 10, lambda epoch: {"validation_loss": 1 / epoch, "validation_f1": 1.0})
    assert [line.split()[0] for line in lines[2:]] == ["1/10"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """What stands for a terminal of 80 columns."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    return Terminal()


def shown(terminal):
    """Return the lines a person was shown, those written over too."""
    return [line.rstrip() for line in re.split(r"[\r\n]+", ESCAPES.sub("", terminal.getvalue())) if line.strip()]


@pytest.mark.parametrize("task", TASKS)
def test_on_a_terminal_the_bar_ends_full_with_the_best_score_and_no_time_left(terminal, task):
    with redirect_stdout(terminal), screen(every=False) as observer:
        run(observer, 300, TASKS[task], best=lambda epoch: epoch <= 250)
        observer.notice("kept: epoch 250 of 298")
    *before, bar, kept = shown(terminal)
    assert max(map(len, [*before, kept])) <= 80
    assert len(bar) == 78  # a terminal writes ^C behind it
    score = {"classify": "accuracy 0.9980", "tag": "F1 0.9980", "language": "bits per character 8.0040",
             "forecast": "MAE 600.00"}[task]  # fmt: skip
    assert re.fullmatch(rf"298 epochs ━{{20,}} {score} · 7:27", bar)
    assert kept == "kept: epoch 250 of 298"


def test_while_it_trains_the_bar_shows_loss_score_and_the_time_left_at_most(terminal):
    with redirect_stdout(terminal), screen(every=False) as observer:
        for epoch in (1, 2):
            progress = Progress(history=[EpochRecord(1, 0.5, TASKS["classify"](1), 1.0)] * (epoch - 1))
            observer.began(progress, 9, STEPS)
            observer.stepped(epoch, 2, 0.5, 32)
            observer.bar.refresh()
    first, second = dict.fromkeys(line for line in shown(terminal) if " left" in line)
    assert re.fullmatch(r"epoch 1/9 ━╸ {20,}loss 0.5000 · ≤ \d:\d\d left", first)
    assert re.fullmatch(r"epoch 2/9 ━+╸? {20,}loss 0.5000 · accuracy 0.5000 · ≤ \d:\d\d left", second)


def stop(observer):
    observer.began(Progress(), 9, STEPS)
    observer.stepped(1, 1, 0.5, 32)
    raise KeyboardInterrupt


def test_an_interrupted_bar_is_wiped_away(terminal):
    with redirect_stdout(terminal), pytest.raises(KeyboardInterrupt), screen(every=False) as observer:
        stop(observer)
    assert terminal.getvalue().endswith("\x1b[2K")  # the bar's line is erased


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with redirect_stdout(terminal), screen(every=False) as observer:
        run(observer, 5, TASKS["classify"])
    assert "\x1b" not in terminal.getvalue()
    assert len(terminal.getvalue().splitlines()) == 5


TRAINED = {"hidden_size": 4, "embedding_size": 4, "tokens": "char", "epochs": 12}


def test_fit_is_silent_unless_asked_and_then_says_what_the_command_says(capsys):
    quiet = TextClassifier(**TRAINED).fit(TEXTS, LABELS)
    assert capsys.readouterr() == ("", "")
    for verbose in (True, 1):
        told = TextClassifier(**TRAINED).fit(TEXTS, LABELS, verbose=verbose)
        first, few, heads, *epochs, kept = capsys.readouterr().out.splitlines()
        assert first.startswith("36 texts to train on, 4 to validate")
        assert few == "validation rests on only 4 texts: its scores are rough"
        assert heads.split() == ["epoch", "loss", "validation", "loss", "accuracy", "seconds"]
        assert epochs[0].split()[0] == "1/12"
        assert kept.startswith(f"kept: epoch {told.metrics_['epoch']} of {told.metrics_['epochs']}, validation loss ")
        assert told.metrics_ == quiet.metrics_
    TextClassifier(**TRAINED).fit(TEXTS, LABELS, verbose=2)
    assert len(capsys.readouterr().out.splitlines()) == 4 + quiet.metrics_["epochs"]


def test_a_pipeline_hands_verbose_on(capsys):
    from sklearn.pipeline import make_pipeline

    make_pipeline(TextClassifier(**TRAINED)).fit(TEXTS, LABELS, textclassifier__verbose=True)
    assert "\nkept: epoch " in capsys.readouterr().out


@pytest.mark.parametrize("verbose", [3, -1, "yes", None, 1.5])
def test_verbose_is_false_true_or_2(verbose):
    with pytest.raises(InputError, match="verbose: expected False, True or 2, got"):
        TextClassifier(**TRAINED).fit(TEXTS, LABELS, verbose=verbose)


def test_verbose_and_an_observer_exclude_each_other():
    with pytest.raises(InputError, match="verbose: expected False beside an observer, got True"):
        TextClassifier(**TRAINED).fit(TEXTS, LABELS, verbose=True, observer=Observer())
