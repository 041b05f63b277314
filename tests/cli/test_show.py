"""``elman show``: a page that steps through what a model reads."""

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import elman as package
from tests.runtime.test_trace import of_page, unpacked

MODELS = Path(__file__).parents[1] / "models"
CLASSIFIER, TAGGER = MODELS / "version_1", MODELS / "sequence_tagger_1"
SEQUENCES, LANGUAGE, FORECASTER = (
    MODELS / name for name in ("sequence_classifier_1", "language_model_1", "forecaster_1")
)


def shown(name="page.html"):
    return of_page(Path(name).read_text(encoding="utf-8"))


def test_a_text_becomes_a_page_that_says_what_the_model_says(elman):
    done = elman("show", CLASSIFIER, "a bad </script> film", "--out", "page.html")
    data, model = shown(), package.load(CLASSIFIER)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"page.html: {len(data['read'])} steps; open it in a browser\n"
    beliefs = unpacked(data["beliefs"], "<f4", (len(data["read"]), len(model.classes)))
    assert (beliefs[-1] == model.predict_proba(["a bad </script> film"])[0]).all()


def test_a_page_is_replaced_only_when_told_to_and_options_may_stand_anywhere(elman):
    for words in (("hello", "--out", "page.html"), ("--out", "page.html", "hello", "--overwrite")):
        assert elman("show", CLASSIFIER, *words).code == 0
    refused = elman("show", CLASSIFIER, "--out", "page.html", "hello")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("elman: page.html: expected a new file, there is one already")
    assert elman("show", CLASSIFIER, "--out", "page.html", "one", "two").err == (
        "elman show: expected no more arguments, got 'two'\n"
    )


def test_texts_come_from_standard_input_and_files_as_predict_reads_them(elman, monkeypatch):
    Path("texts.csv").write_text("line\nfirst\nsecond one\n", encoding="utf-8")
    assert elman("show", CLASSIFIER, "--file", "texts.csv", "--example", "2", "--out", "second.html").code == 0
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"second one\n")))
    assert elman("show", CLASSIFIER, "-", "--out", "page.html").code == 0
    assert shown() == shown("second.html")
    Path("tagged.conll").write_text("a O\n\nb O\nc O\n", encoding="utf-8")
    assert elman("show", TAGGER, "--file", "tagged.conll", "--example", "2", "--out", "tags.html").code == 0
    assert shown("tags.html")["read"] == ["b", "c"]
    Path("poem.txt").write_text("床前\n明月", encoding="utf-8")
    assert elman("show", LANGUAGE, "--file", "poem.txt", "--out", "poem.html").code == 0
    assert "".join(shown("poem.html")["read"][1:]) == "床前\n明月"


def test_models_of_numbers_read_files_and_a_forecaster_knows_its_series(elman):
    model = package.load(SEQUENCES)
    sequence = np.arange(12.0).reshape(6, 2) / 10
    np.savez("numbers.npz", X=np.stack([sequence, sequence[::-1]]))
    for words in (("numbers.npz",), ("--file", "numbers.npz")):
        assert elman("show", SEQUENCES, *words, "--example", "2", "--out", "page.html", "--overwrite").code == 0
        beliefs = unpacked(shown()["beliefs"], "<f4", (-1, len(model.classes)))
        assert (beliefs[-1] == model.predict_proba([sequence[::-1]])[0]).all()
    assert elman("show", FORECASTER, "--out", "series.html").code == 0
    assert shown("series.html")["outcomes"] == package.load(FORECASTER).settings.targets


REFUSED = {
    (CLASSIFIER,): "expected TEXT or --file, got none",
    (CLASSIFIER, "hello", "--file", "texts.csv"): "expected TEXT or --file, got both",
    (CLASSIFIER, "hello", "--example", "2"): "--example: expected none without --file, got 2",
    (CLASSIFIER, "--file", "texts.csv", "--example", "0"): "--example: expected an integer of at least 1, got 0",
    (CLASSIFIER, "--file", "texts.csv", "--example", "2"): "texts.csv: expected 2 examples or more, got fewer",
    (TAGGER, ""): "sentence: expected one token or more, got none",
    (LANGUAGE, "--file", "texts.csv", "--example", "1"): (
        "--example: expected none for a language model, which reads the whole file, got 1"
    ),
    (LANGUAGE, "--file", "long.txt"): (
        "long.txt: expected at most 100,000 characters to step through, got more; take a part"
    ),
    (SEQUENCES,): "expected a file of sequences, got none",
    (FORECASTER, "absent.csv"): "absent.csv: expected a file, there is none of that name",
    (FORECASTER, "--example", "1"): "--example: expected none for a forecaster, which reads the whole file, got 1",
    ("absent", "hello"): "absent: expected a model folder, got nothing of that name",
}


@pytest.mark.parametrize("words", REFUSED, ids=lambda words: " ".join(str(getattr(w, "name", w)) for w in words))
def test_what_cannot_be_shown_is_refused_in_one_line(elman, words):
    Path("texts.csv").write_text("line\nfirst\n", encoding="utf-8")
    Path("long.txt").write_text("a" * 100_001, encoding="utf-8")
    done = elman("show", *words, "--out", "page.html")
    assert (done.code, done.out, done.err) == (2, "", f"elman: {REFUSED[words]}\n")
    assert not Path("page.html").exists()


def test_every_kind_of_model_is_shown_in_the_base_install():
    program = """
import sys
sys.modules.update(dict.fromkeys(("torch", "sklearn", "rich", "msgspec", "matplotlib")))
from elman.cli import main
for number, given in enumerate(sys.argv[1:]):
    assert main(["show", *given.split("|"), "--out", f"{number}.html"]) == 0
"""
    given = [f"{CLASSIFIER}|a b", f"{TAGGER}|a b", f"{LANGUAGE}|ab", f"{FORECASTER}", f"{SEQUENCES}|numbers.npz"]
    np.savez("numbers.npz", X=np.ones((2, 3, 2)))
    done = subprocess.run([sys.executable, "-c", program, *given], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_text_that_is_the_name_of_a_file_is_hinted_at(elman):
    Path("texts.csv").write_text("line\nfirst\n", encoding="utf-8")
    done = elman("show", CLASSIFIER, "texts.csv", "--out", "page.html")
    assert done.code == 0
    assert done.err == "texts.csv is taken for a text, though there is such a file: --file texts.csv reads it\n"


def test_a_long_text_is_cut_and_said_to_be(elman):
    most = json.loads((CLASSIFIER / "config.json").read_text(encoding="utf-8"))["text"]["max_length"]
    done = elman("show", CLASSIFIER, "a " * (most + 1), "--out", "page.html")
    assert done.err == f"the text is longer than {most} tokens and was cut\n"
    assert len(shown()["read"]) == most + 2
