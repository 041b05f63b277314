"""Sequence taggers from the shell: train, evaluate, predict, info."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from elman.cli import main
from tests.cli.conftest import QUICK
from tests.tasks.sentences import SENTENCES, TAGS

SENTENCE, FOUND = "Walk to New York on Friday.", ["New York", "Friday"]


def write_columns(path, tags=TAGS):
    sentences = (
        "".join(f"{token} _ {tag}\n" for token, tag in zip(*each, strict=True))
        for each in zip(SENTENCES, tags, strict=True)
    )
    Path(path).write_text("\n".join(sentences), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def _trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    data, words = (
        write_columns(folder / "train.conll"),
        ["--hidden-size", "24", "--embedding-size", "16", "--threads", "1"],
    )
    assert (
        main(
            [
                "train",
                "tag",
                str(data),
                "--out",
                str(folder / "ner"),
                "--learning-rate",
                "0.01",
                "--epochs",
                "20",
                *words,
            ]
        )
        == 0
    )
    return folder / "ner"


@pytest.fixture
def ner(_trained, tmp_path):
    shutil.copytree(_trained, tmp_path / "ner")
    return "ner"


def test_training_says_what_it_does_and_what_to_type_next(elman):
    done = elman("train", "tag", write_columns("train.conll"), "--out", "ner", "--validation", "train.conll", *QUICK)
    assert (done.code, done.err) == (0, "reading train.conll, then loading PyTorch\n")
    assert done.out.startswith(
        "24 sentences of 156 tokens to train on, 24 to validate; BIO tags of 2 types; tokens are words"
    )
    assert ", F1 " in done.out
    assert "  elman evaluate ner/ test.conll\n  elman predict ner/ input.txt\n" in done.out


def test_evaluate_prints_figures_of_each_type(elman, ner):
    report = json.loads(elman("evaluate", ner, write_columns("test.conll"), "--json").out)
    assert report["f1"] >= 0.9
    assert {"precision", "recall", "f1", "accuracy", "per_type", "seconds", "examples"} <= report.keys()
    assert (report["examples"], report["tokens"], list(report["per_type"])) == (24, 156, ["day", "place"])
    shown = elman("evaluate", ner, "test.conll").out.splitlines()
    assert shown[0].startswith(f"precision  {report['precision']:.4f}    recall")
    assert shown[4].split() == ["type", "precision", "recall", "F1", "entities"]
    assert shown[6].split()[0] == "place"


def test_evaluate_takes_tags_of_another_scheme_and_says_which_are_unknown(elman, ner):
    as_bio = json.loads(elman("evaluate", ner, write_columns("bio.conll"), "--json").out)
    as_iob1 = [[tag.replace("B-", "I-") for tag in tags] for tags in TAGS]
    assert json.loads(elman("evaluate", ner, write_columns("iob1.conll", as_iob1), "--json").out)["f1"] == as_bio["f1"]
    done = elman("evaluate", ner, write_columns("x.conll", [["B-time", *tags[1:]] for tags in TAGS]), "--json")
    assert done.err == "labels the model has never seen, counted as wrong: B-time\n"
    assert json.loads(done.out)["recall"] < as_bio["recall"]
    plain = write_columns("plain.conll", [["X"] * len(tags) for tags in TAGS])
    done = elman("evaluate", ner, plain)
    assert (done.code, done.err) == (
        2,
        "elman: plain.conll, line 1: expected a tag of BIO (O, B-…, I-…), got 'X'\n",
    )


def test_predict_gives_spans_of_texts(elman, ner):
    Path("input.txt").write_text(f"{SENTENCE}\n\n", encoding="utf-8")
    first, empty = map(json.loads, elman("predict", ner, "input.txt").out.splitlines())
    assert first["tokens"] == ["Walk", "to", "New", "York", "on", "Friday", "."]
    assert [SENTENCE[span["start"] : span["end"]] for span in first["spans"]] == FOUND
    assert [span["text"] for span in first["spans"]] == FOUND
    assert all(0 < span["probability"] <= 1 for span in first["spans"])
    assert empty == {"text": "", "tokens": [], "tags": [], "spans": []}
    assert elman("predict", ner, "input.txt", "--format", "text").out.splitlines() == [
        "Walk to [New York place] on [Friday day].",
        "",
    ]


def test_predict_takes_tokens_and_gives_columns(elman, ner):
    Path("x.jsonl").write_text(json.dumps({"tokens": first} if (first := SENTENCES[2]) else {}), encoding="utf-8")
    found = json.loads(elman("predict", ner, "x.jsonl").out)
    assert (found["tokens"], found["tags"]) == (SENTENCES[2], TAGS[2])
    assert [(span["type"], span["start"], span["end"]) for span in found["spans"]] == [("place", 2, 4), ("day", 5, 6)]
    columns = elman("predict", ner, write_columns("x.conll"), "--format", "conll").out
    expected = [list(zip(*each, strict=True)) for each in zip(SENTENCES, TAGS, strict=True)]
    read = [[tuple(line.split("\t")) for line in block.splitlines()] for block in columns.split("\n\n") if block]
    assert [[token for token, _ in each] for each in read] == SENTENCES
    assert sum(ours == theirs for ours, theirs in zip(read, expected, strict=True)) >= 20


def test_a_terminal_shows_colours_unless_it_may_not(ner):
    Path("input.txt").write_text(f"{SENTENCE} \x1b[2J\n", encoding="utf-8")

    def shown(**environment):
        leader, follower = pty.openpty()
        command = [sys.executable, "-m", "elman", "predict", ner, "input.txt", "--threads", "1"]
        subprocess.run(command, stdout=follower, env={**os.environ, **environment}, check=True)
        os.close(follower)
        with os.fdopen(leader, "rb") as screen:
            return screen.read1(4096).decode()

    assert "to \x1b[33m[New York place]\x1b[0m on \x1b[36m[Friday day]\x1b[0m" in shown()
    assert "\x1b" not in shown(NO_COLOR="1")


def test_plain_tags_of_characters(elman):
    lines = "".join(f"{character}\t{tag}\n" for character, tag in zip("帝京篇", ["O", "O", "，"], strict=True))
    Path("p.tsv").write_text("\n".join([lines] * 30), encoding="utf-8")
    assert elman("train", "tag", "p.tsv", "--out", "p", *QUICK, "--learning-rate", "0.02").code == 0
    Path("x.txt").write_text("帝京篇\n", encoding="utf-8")
    found = json.loads(elman("predict", "p", "x.txt").out)
    assert (found["tokens"], len(found["probabilities"])) == (["帝", "京", "篇"], 3)
    assert elman("predict", "p", "x.txt", "--format", "text").out == "帝京篇/，\n"
    assert "of tags other than O" in elman("evaluate", "p", "p.tsv").out


def test_info_says_what_it_is(elman, ner):
    shown = elman("info", ner).out
    assert shown.startswith("ner: a sequence tagger\n")
    assert "tags: 4, BIO: B-day, B-place, I-place, O" in shown


def test_a_run_is_repeated_from_its_config(elman):
    write_columns("train.conll")
    words = ("train", "tag", "train.conll", "--out", "ner", "--text", "1", "--label", "-1", *QUICK)
    assert elman(*words).code == 0
    assert elman("train", "--config", "ner/config.json", "--out", "twin").code == 0
    assert Path("ner/model.safetensors").read_bytes() == Path("twin/model.safetensors").read_bytes()


BAD = {
    "ill-formed": (
        "a O\nb I-x\n\nc B-x\nd I-x\ne I-y\n",
        (),
        "x.conll, line 2: expected what may follow O in BIO, got I-x; --repair-tags mends it",
    ),
    "mixed": ("a B-x\nb B-y\nc Z\n", (), "x.conll, line 3: expected a tag of BIO (O, B-…, I-…), got 'Z'"),
    "one tag": ("a O\nb O\n", (), "x.conll: expected two different tags or more, all are 'O'"),
    "unknown in validation": (
        "a O\nb B-x\n",
        ("--validation", "held.conll"),
        "held.conll, line 1: expected a tag seen in training, got 'B-z'",
    ),
    "format": ("a O\nb\n", (), "x.conll, line 2: expected 2 columns as on line 1, got 1"),
    "option": ("a O\n", ("--character-size", "-1"), "--character-size: expected an integer of at least 0, got -1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(elman, case):
    content, words, message = BAD[case]
    Path("x.conll").write_text(content, encoding="utf-8")
    Path("held.conll").write_text("a B-z\n", encoding="utf-8")
    done = elman("train", "tag", "x.conll", "--out", "m", *words)
    assert (done.code, done.out, done.err) == (2, "", f"elman: {message}\n")
    assert not Path("m").exists()


def test_repaired_when_asked(elman):
    Path("x.conll").write_text(BAD["ill-formed"][0] + "\nf B-y\n", encoding="utf-8")
    done = elman("train", "tag", "x.conll", "--out", "m", "--repair-tags", "--validation", "0", *QUICK)
    assert done.code == 0
    assert "ill-formed tags were repaired in 2 sentences" in done.out


def test_a_format_that_is_none(elman, ner):
    Path("x.txt").write_text("a\n", encoding="utf-8")
    done = elman("predict", ner, "x.txt", "--format", "tsv")
    assert (done.code, done.err) == (2, "elman: --format: expected jsonl, conll or text, got 'tsv'\n")
