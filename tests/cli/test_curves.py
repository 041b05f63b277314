"""``elman train --plot`` and ``--verbose``: how a run went, epoch by epoch."""

import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from elman.runtime._history import read_history
from tests.cli.conftest import QUICK

PLOTS = pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")
CURVES = ("train", "classify", "lines.csv", "--out", "m", *QUICK, "--plot")


@PLOTS
def test_the_curves_of_loss_and_score_are_drawn_and_the_epoch_kept_is_marked(elman, lines, monkeypatch):
    drawn = []
    monkeypatch.setattr("elman.cli._plot_training.write_picture", lambda path, figure: drawn.append((path, figure)))
    assert elman(*CURVES, "curves.png").code == 0
    [(path, figure)] = drawn
    losses, accuracy = figure.axes
    history, kept = history_of("m"), json.loads(Path("m/metrics.json").read_text())
    lines_of = [{line.get_label(): list(line.get_ydata()) for line in panel.get_lines()} for panel in figure.axes]
    assert [panel.get_title("left") for panel in (losses, accuracy)] == ["loss", "validation accuracy"]
    assert lines_of[0]["training"] == [record.loss for record in history]
    assert lines_of[0]["validation, only 4 texts"] == [record.scores["validation_loss"] for record in history]
    assert lines_of[1]["validation, only 4 texts"] == [record.scores["validation_accuracy"] for record in history]
    assert f"epoch {kept['epoch']}, which was kept" in lines_of[1]
    assert path == Path("curves.png")


@PLOTS
def test_a_picture_of_a_run_replaces_no_file_unasked_and_may_lie_in_the_model_folder(elman, lines):
    Path("mine.png").write_text("mine")
    refused = elman(*CURVES, "mine.png")
    already = "mine.png: expected a new file, there is one already; choose another name or add --overwrite"
    assert (refused.code, refused.err, Path("m").exists()) == (2, f"elman: {already}\n", False)
    assert elman(*CURVES, "m/curves.svg").code == 0
    assert Path("m/curves.svg").read_bytes().startswith(b"<?xml")
    assert elman(*CURVES, "m/curves.svg", "--overwrite").code == 0
    assert elman(*CURVES, "late.png", "--resume").out.startswith("m: the run has finished already")
    assert Path("late.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_read(elman, monkeypatch):
    if find_spec("matplotlib"):
        assert elman(*CURVES, "x.gif").err == "elman: --plot: expected a file named .png, .svg or .pdf, got x.gif\n"
        assert elman(*CURVES, "no/x.png").err.startswith("elman: no/x.png: expected a place in a folder that exists")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    told = elman(*CURVES, "x.png")
    assert (told.code, told.err.count("\n"), "matplotlib" in told.err, Path("m").exists()) == (1, 1, True, False)


def test_every_epoch_has_a_line_if_asked_for(elman, lines):
    words = ("train", "classify", lines, "--out", "m", *QUICK, "--epochs", "30", "--verbose")
    assert len(re.findall(r"^ *\d+/30 ", elman(*words).out, re.MULTILINE)) == len(history_of("m"))
    assert "verbose" not in Path("m/config.json").read_text()


def history_of(model):
    return read_history(Path(model, "history.csv").read_bytes(), model)
