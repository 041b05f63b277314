"""``elman train language``, and what comes after it."""

import io
import json
import math
import shutil
from pathlib import Path

import pytest

import elman as library
from elman.cli import main
from tests.tasks.lines import TEXTS

TEXT = "\n".join(TEXTS * 3) + "\n"
SIZES = ["--hidden-size", "24", "--embedding-size", "16", "--ngram", "3", "--window", "20", "--threads", "1"]


@pytest.fixture(scope="session")
def _trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    words = ["train", "language", str(folder / "text.txt"), "--out", str(folder / "model"), "--epochs", "8", *SIZES]
    assert main(words) == 0
    return folder / "model"


@pytest.fixture
def model(_trained, tmp_path):
    shutil.copytree(_trained, tmp_path / "model")
    return "model"


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    return "text.txt"


def test_training_says_what_it_does_and_what_is_next(elman, text):
    told = elman("train", "language", text, "--out", "lm", "--epochs", "2", *SIZES)
    assert told.code == 0, told.err
    assert (
        f"{len(TEXT) - round(len(TEXT) / 20):,} characters to train on, {round(len(TEXT) / 20)} to validate" in told.out
    )
    assert "validation bits per character" in told.out
    assert "elman generate lm/ --length 200" in told.out
    assert sorted(path.name for path in Path("lm").iterdir()) == [
        "config.json", "history.csv", "metrics.json", "model.safetensors", "vocabulary.txt"
    ]  # fmt: skip


def test_a_run_repeats_from_its_configuration_and_goes_on_after_an_interruption(elman, text, monkeypatch):
    options = ("--epochs", "3", *SIZES)
    assert elman("train", "language", text, "--out", "lm", *options).code == 0
    assert elman("train", "--config", "lm/config.json", "--out", "again").code == 0
    assert Path("lm/model.safetensors").read_bytes() == Path("again/model.safetensors").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("elman.tasks._training.CHECKPOINT_SECONDS", -1.0)
        patched.setattr("elman.tasks._screen.Lines.stepped", _interrupt)
        assert elman("train", "language", text, "--out", "cut", *options).code == 130
    assert elman("train", "language", text, "--out", "cut", *options, "--resume").code == 0
    assert Path("lm/model.safetensors").read_bytes() == Path("cut/model.safetensors").read_bytes()


def _interrupt(self, epoch, step, loss, examples):
    if (epoch, step) == (2, 3):
        raise KeyboardInterrupt


def test_evaluation_gives_bits_and_perplexity(elman, model, text):
    told = elman("evaluate", model, text, "--json")
    report = json.loads(told.out)
    measure = library.load(model).measure([TEXT])
    assert report["bits_per_character"] == measure.bits_per_character
    assert report["perplexity"] == pytest.approx(2 ** report["bits_per_character"])
    assert (report["examples"], report["characters"], report["unknown"]) == (len(TEXT), len(TEXT), measure.unknown)
    assert report["seconds"] > 0
    assert "bits per character" in elman("evaluate", model, text).out


def test_text_is_generated_the_same_each_time(elman, model):
    words = ("generate", model, "--prompt", "子曰：", "--length", "20", "--temperature", "0.8", "--seed", "1")
    told = elman(*words)
    assert told.code == 0, told.err
    assert told.out.startswith("子曰：")
    assert len(told.out) == 3 + 20 + 1
    assert elman(*words).out == told.out
    assert elman(*words, "--top-k", "1").out == elman(*words, "--temperature", "0").out
    expected = "".join(library.load(model).generate("子曰：", 20, temperature=0.8, seed=1))
    assert told.out == f"子曰：{expected}\n"


def test_a_prompt_can_come_from_standard_input(elman, model, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("子曰\n".encode())))
    assert elman("generate", model, "--prompt", "-", "--length", "0").out == "子曰\n"


def test_a_prompt_of_unknown_characters_is_refused_by_name(elman, model):
    told = elman("generate", model, "--prompt", "子曰 x\N{SNOWMAN}")
    assert told.code == 2
    assert told.err == "elman: model: prompt: expected characters that the model knows, got ' ', 'x', '☃'\n"
    assert told.out == ""
    told = elman("generate", model, "--top-p", "2")
    assert (told.code, told.err) == (2, "elman: --top-p: expected a number above 0, at most 1, got 2.0\n")


def test_a_terminal_is_not_commanded(elman, monkeypatch):
    from elman.cli._generate import _visible

    assert _visible("a\x1b[2J\n\t光\u202e") == "a\\x1b[2J\n\t光\\u202e"


def test_each_line_is_measured(elman, model):
    Path("lines.txt").write_text("子曰\n\n☃曰\n", encoding="utf-8")
    told = elman("predict", model, "lines.txt")
    first, empty, unknown = map(json.loads, told.out.splitlines())
    assert first["bits_per_character"] == pytest.approx(library.load(model).bits_per_character("子曰"), abs=1e-4)
    assert (first["tokens"], first["unknown"], first["text"]) == (2, 0, "子曰")
    assert empty == {"bits_per_character": None, "tokens": 0, "unknown": 0, "text": ""}
    assert unknown["unknown"] == 1
    assert unknown["bits_per_character"] > first["bits_per_character"]


def test_information(elman, model):
    told = elman("info", model)
    assert "model: a language model" in told.out
    assert "n-grams of up to 3 tokens" in told.out
    assert "validation bits per character" in told.out


def test_words(elman):
    Path("book.txt").write_text("the cat sat on the mat. the dog sat on the cat.\n" * 40)
    assert elman("train", "language", "book.txt", "--out", "lm", "--tokens", "word", "--epochs", "4", *SIZES).code == 0
    told = elman("generate", "lm", "--prompt", "the cat sat", "--length", "3", "--temperature", "0")
    assert told.out == "the cat sat on the mat\n", told.err
    told = elman("generate", "lm", "--prompt", "a cow")
    assert told.err == "elman: lm: prompt: expected words that the model knows, got 'a', ' cow'\n"


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", (), "text.txt: expected 40 characters or more to train on, got 0"),
        (b"abc", (), "text.txt: expected 40 characters or more to train on, got 3"),
        (b"abc\n\x00\x01" * 99, (), "text.txt, line 2: expected text, got a NUL byte (byte 5 of the file)"),
        ("我".encode("gbk") * 99, (), "the file looks like GBK: add --encoding gbk"),
        (b"abc\n" * 99, ("--ngram", "0"), "--ngram: expected an integer of at least 1, got 0"),
        (b"abc\n" * 99, ("--validation", "none.txt"), "none.txt: expected a file, there is none of that name"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(elman, content, options, message):
    Path("text.txt").write_bytes(content)
    told = elman("train", "language", "text.txt", "--out", "lm", *SIZES, *options)
    assert told.code == 2
    assert message in told.err
    assert told.err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["text.txt"]


def test_an_empty_text_cannot_be_evaluated(elman, model):
    Path("empty.txt").write_bytes(b"")
    told = elman("evaluate", model, "empty.txt")
    assert (told.code, told.err) == (2, "elman: empty.txt: expected text, the file is empty\n")
    assert math.isfinite(library.load(model).measure(["a"]).perplexity)
