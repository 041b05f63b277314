"""Each kind of bad input: one line on standard error, exit code 2, nothing left behind."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from tests.cli.conftest import MODELS, QUICK, write_lines
from tests.tasks.lines import LABELS, TEXTS

FILES = {
    "empty": (b"", "x.csv: expected a header and rows, the file is empty"),
    "header only": (b"text,label\n", "x.csv: expected rows after the header, there are none"),
    "missing column": (
        b"a,b\nc,d\n",
        "x.csv, line 1: expected a column 'text', the columns are 'a', 'b'; --text names another",
    ),
    "duplicate header": (b"text,label,label\na,b,c\n", "x.csv, line 1: expected one column 'label', got 2"),
    "one class": (
        b"text,label\na,b\nc,b\n",
        "x.csv, column 'label': expected two classes or more, all rows have 'b'",
    ),
    "empty text": (
        b"text,label\na,b\n,c\n",
        "x.csv, line 3, column 'text': expected a text, got an empty field",
    ),
    "ragged": (b"text,label\na\n", "x.csv, line 2: expected 2 fields (text, label), got 1"),
    "bad byte": (
        b"text,label\na,\xe9\n",
        "x.csv, line 2: expected utf-8 text, got an invalid byte (byte 14 of the file, 0xe9); "
        "the file looks like Windows-1252 (Western European): add --encoding cp1252",
    ),
    "gbk": (
        "text,label\n关关雎鸠，在河之洲,诗经\n".encode("gbk"),
        "x.csv, line 2: expected utf-8 text, got an invalid byte (byte 12 of the file, 0xb9); "
        "the file looks like GBK: add --encoding gbk",
    ),
    "nul": (b"text,label\na\0,b\n", "x.csv, line 2: expected text, got a NUL byte (byte 13 of the file)"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_no_use(elman, name):
    content, message = FILES[name]
    Path("x.csv").write_bytes(content)
    done = elman("train", "classify", "x.csv", "--out", "m", *QUICK)
    assert (done.code, done.out, done.err) == (2, "", f"elman: {message}\n")
    assert not Path("m").exists()


def test_no_such_file_a_folder_and_plain_text(elman):
    done = elman("train", "classify", "none.csv", "--out", "m")
    assert (done.code, done.err) == (2, "elman: none.csv: expected a file, there is none of that name\n")
    Path("folder.csv").mkdir()
    done = elman("train", "classify", "folder.csv", "--out", "m")
    assert (done.code, done.err) == (2, "elman: folder.csv: expected a file, got a folder\n")
    done = elman("train", "classify", "notes.txt", "--out", "m")
    assert done.code == 2
    assert "notes.txt: expected a table with texts and labels (.csv, .tsv or .jsonl), got plain text" in done.err


@pytest.mark.parametrize("kind", ["version_1", "sequence_classifier_1", "sequence_tagger_1", "language_model_1"])
@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("none", "none: expected a file, there is none of that name"),
        ("folder", "folder: expected a file, got a folder"),
        ("-", "-: expected a file, got standard input"),
    ],
)
def test_what_is_no_file_is_not_taken_for_one_of_another_kind(elman, kind, file, message):
    Path("folder").mkdir()
    done = elman("evaluate", MODELS / kind, file)
    assert (done.code, done.out, done.err) == (2, "", f"elman: {message}\n")
    done = elman("train", "language", file, "--out", "m")
    assert (done.code, done.err.splitlines()[-1]) == (2, f"elman: {message}")


OPTIONS = {
    ("--hidden-size", "0"): "--hidden-size: expected an integer of at least 1, got 0",
    ("--dropout", "1.5"): "--dropout: expected a number from 0 to below 1, got 1.5",
    ("--epochs", "-3"): "--epochs: expected an integer of at least 1, got -3",
    ("--validation", "1.2"): "--validation: expected a number from 0 to below 1, got 1.2",
    ("--validation", "none.csv"): "none.csv: expected a file, there is none of that name",
    ("--tokens", "syllable"): "--tokens: expected char or word, got 'syllable'",
    ("--engine", "jax"): "--engine: expected elman or torch, got 'jax'",
    ("--encoding", "klingon"): "--encoding: expected a name such as utf-8, gb18030 or latin-1, got 'klingon'",
    ("--label", "text"): "lines.csv: expected two columns, got 'text' for both the text and the label",
    ("--resume", "--overwrite"): "--resume goes on with a run and --overwrite starts anew: expected one of them",
}


@pytest.mark.parametrize("words", OPTIONS)
def test_options_of_no_use(elman, lines, words):
    done = elman("train", "classify", lines, "--out", "m", *words)
    assert (done.code, done.err) == (2, f"elman: {OPTIONS[words]}\n")
    assert not Path("m").exists()


@pytest.mark.parametrize("format", ["xml", ""])
def test_a_format_of_no_use(elman, lines, model, format):
    done = elman("predict", model, lines, "--format", format)
    assert (done.code, done.err) == (2, f"elman: --format: expected jsonl or tsv, got {format!r}\n")


def test_places_that_cannot_be_written(elman, lines, monkeypatch):
    done = elman("train", "classify", lines, "--out", f"{lines}/m", *QUICK)
    assert (done.code, done.err) == (
        2,
        f"elman: {lines}/m: expected a place that can be written, a part of the path is a file\n",
    )
    done = elman("train", "classify", lines, "--out", lines, *QUICK)
    assert done.err == f"elman: {lines}: expected a folder for the model, there is a file of that name\n"

    def full(descriptor):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    done = elman("train", "classify", lines, "--out", "m", *QUICK)
    assert done.code == 2
    full_disk = "elman: m/checkpoint: expected a place that can be written, the disk is full\n"
    assert done.err == f"reading {lines}, then loading PyTorch\n{full_disk}"


def test_out_is_never_taken_unasked(elman, lines, model):
    done = elman("train", "classify", lines, "--out", model, *QUICK)
    message = "model: holds a model already; choose another name or add --overwrite"
    assert (done.code, done.err) == (2, f"elman: {message}\n")
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("mine")
    for words in ((), ("--overwrite",)):
        done = elman("train", "classify", lines, "--out", "mine", *words, *QUICK)
        message = "mine: expected a new or empty folder, got one with other files; choose another name"
        assert (done.code, done.err) == (2, f"elman: {message}\n")
    assert os.listdir("mine") == ["thesis.txt"]


def test_folders_that_are_no_model(elman, lines, model):
    for command in ("evaluate", "predict"):
        assert elman(command, "none", lines).err == "elman: none: expected a model folder, got nothing of that name\n"
    assert elman("predict", lines, lines).err == f"elman: {lines}: expected a model folder, got a file\n"
    assert elman("info", lines).err.startswith(f"elman: {lines}: expected a safetensors file, got 1")
    config = Path(model, "config.json")
    config.write_text(config.read_text(encoding="utf-8").replace('"version": 1', '"version": 7'), encoding="utf-8")
    done = elman("info", model)
    assert (done.code, done.err) == (2, "elman: model/config.json: expected version 1, got version 7\n")


def test_a_validation_file_has_no_new_labels(elman, lines):
    write_lines("v.csv", [("a", "诗经"), ("b", "唐诗")])
    done = elman("train", "classify", lines, "--out", "m", "--validation", "v.csv", *QUICK)
    assert (done.code, done.err) == (
        2,
        "elman: v.csv, line 3, column 'label': expected a label seen in training, got '唐诗'\n",
    )


def test_a_bad_line_in_the_middle_loses_nothing_before_it(elman, model):
    Path("x.txt").write_bytes("关关雎鸠\n".encode() * 3 + b"\xff\n")
    done = elman("predict", model, "x.txt")
    assert (done.code, done.out.count("\n")) == (2, 3)
    assert "x.txt, line 4: expected utf-8 text, got an invalid byte (byte 40 of the file, 0xff)" in done.err


def test_odd_but_good_input_is_accepted(elman):
    rows = [*zip(TEXTS, ["Book of Songs" if label == "诗经" else label for label in LABELS], strict=True)]
    rows += [("学" * 1_000_000, "论语"), ("楚辞一句", "Songs of Chu")]
    write_lines("plain.csv", rows)
    raw = Path("plain.csv").read_bytes()
    Path("x.csv").write_bytes(b"\xef\xbb\xbf" + raw)  # a byte order mark; csv wrote CRLF
    done = elman("train", "classify", "x.csv", "--out", "m", *QUICK)
    assert (done.code, done.err) == (0, "reading x.csv, then loading PyTorch\n")
    assert "cut to 512 characters: 1 text (--max-length)" in done.out
    assert "too rare to set a part aside for validation, kept in training: Songs of Chu" in done.out
    assert "Book of Songs: 18" in elman("info", "m").out
    done = elman("predict", "m", "x.csv")
    assert done.out.count("\n") == len(rows)
    assert done.err == "cut to 512 tokens: 1 text\n"
    Path("gbk.csv").write_bytes(raw.decode().encode("gbk"))
    assert elman("train", "classify", "gbk.csv", "--encoding", "gbk", "--out", "g", *QUICK).code == 0
    assert Path("g/model.safetensors").read_bytes() == Path("m/model.safetensors").read_bytes()


def test_an_environment_of_no_use_and_closed_streams_are_told_in_one_line(model):
    command = f"{sys.executable} -m elman predict {model}"
    for line, message in (
        (f"ELMAN_NUM_THREADS=abc {command} x.txt", "ELMAN_NUM_THREADS: expected an integer from 1 to 4096, got 'abc'"),
        (f"ELMAN_ISA=klingon {command} x.txt", "ELMAN_ISA: expected an instruction set of this machine ("),
        (f"{command} - <&-", "standard input: expected an open one, it is closed"),
        (f"{command} - >&-", "expected output that can be written, standard output is closed"),
    ):
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.startswith(f"elman: {message}")


def test_a_model_with_nan_in_it_is_warned_of_and_answers_in_json(elman, model):
    path = Path(model, "model.safetensors")
    tensors = load(path.read_bytes())
    tensors["output.bias"][:] = np.nan
    path.write_bytes(save(tensors))
    Path("x.txt").write_text("君子不器\n", encoding="utf-8")
    done = elman("predict", model, "x.txt")
    assert done.code == 0
    assert done.err == "elman: warning: model/model.safetensors: output.bias holds infinite weights or NaN\n"
    assert json.loads(done.out)["probability"] is None


def test_names_and_numbers_beyond_all_bounds(elman, model):
    done = elman("predict", model, f"{model}/config.json/x")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "expected a readable file" in done.err
    assert "File name too long" in elman("predict", model, "x" * 999).err
    done = elman("predict", model, "x.txt", "--threads", "99999")
    assert done.err == "elman: --threads: expected an integer from 1 to 4096, got 99999\n"


def test_a_text_in_the_place_of_a_file_is_told_how_to_be_handed_over(elman, model):
    for text, problem in (
        ("I love this", "expected a file, there is none of that name"),
        ("Mr. Li. Fine", "expected one of .csv, .tsv, .tab, .jsonl, .ndjson, .txt, got . fine"),
        ("大江东去", "expected a file, there is none of that name"),
    ):
        done = elman("predict", model, text)
        way = f"for a text itself: echo {shlex.quote(text)} | elman predict model -"
        assert (done.code, done.err) == (2, f"elman: {text}: {problem}; {way}\n")
    assert elman("predict", model, "x " * 300).err.endswith("; for a text itself: echo TEXT | elman predict model -\n")
    assert elman("predict", model, "none.txt").err == "elman: none.txt: expected a file, there is none of that name\n"


def test_messages_name_options_as_those_who_read_them_write_them(elman, model):
    import elman as library
    from elman._errors import in_shell, option

    assert option("batch_size") == "batch_size"
    assert option("overwrite", True) == "overwrite=True"
    assert option("encoding", "gbk") == "encoding='gbk'"
    with in_shell():
        assert option("batch_size") == "--batch-size"
        assert option("overwrite", True) == "--overwrite"
        assert option("encoding", "gbk") == "--encoding gbk"
    network = library.runtime.RNN({"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.ones((3, 3))})
    library.save(network, "rnn.safetensors")
    with pytest.raises(library.InputError, match="choose another name or add overwrite=True"):
        library.save(network, "rnn.safetensors")


def test_what_is_told_of_a_file_names_it_once():
    from elman._errors import InputError, OptionError, about

    def told(error, *places):
        with pytest.raises(InputError) as raised, about(*places):
            raise error
        return str(raised.value)

    assert told(InputError("series: expected 9 steps"), "x.csv") == "x.csv: series: expected 9 steps"
    assert told(InputError("x.csv, line 3: expected a number"), "x.csv") == "x.csv, line 3: expected a number"
    assert told(InputError("model: expected a network"), "m") == "m: model: expected a network"
    assert told(InputError("m/config.json: expected JSON"), "x.csv", "m") == "m/config.json: expected JSON"
    assert told(OptionError("seed", "an integer", "x"), "x.csv") == "seed: expected an integer, got 'x'"
