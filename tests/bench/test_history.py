"""The speed of each commit, as it is noted and drawn."""

import json

import pytest

from benchmarks import history
from tests.bench.reports import whole_report


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "LINES", tmp_path / "history.jsonl")
    monkeypatch.setattr(history, "PICTURE", tmp_path / "history.png")
    said = {"rev-parse": lambda words: words[-1], "show": lambda words: "2026-11-28", "log": lambda words: "c\nb\na"}
    monkeypatch.setattr(history, "_git", lambda *words: said[words[0]](words))
    return tmp_path


def note(places, monkeypatch, commit, kind="avx2"):
    report = whole_report()
    report.machine = report.machine | {"instruction_set": kind}
    (places / "table.json").write_text(report.to_json())
    monkeypatch.setattr("sys.argv", ["history.py", "--table", str(places / "table.json"), "--commit", commit])
    history.main()
    return [json.loads(line) for line in history.LINES.read_text().splitlines()]


def test_a_commit_has_a_line_on_each_kind_of_processor_in_the_order_of_history(places, monkeypatch):
    for commit, kind in (("b", "avx2"), ("c", "avx2"), ("a", "avx2"), ("a", "avx512")):
        lines = note(places, monkeypatch, commit, kind)
    assert [(line["commit"], line["kind"]) for line in lines] == [
        ("a", "avx2"),
        ("a", "avx512"),
        ("b", "avx2"),
        ("c", "avx2"),
    ]
    assert len(note(places, monkeypatch, "c")) == 4  # measured again, and replaced
    assert history.PICTURE.read_bytes().startswith(b"\x89PNG")


def test_a_line_says_what_pytorch_takes_over_ours_and_our_share_of_the_product(places, monkeypatch):
    (line,) = note(places, monkeypatch, "c")
    assert {name: line[name] for name in ("commit", "date", "kind", "processor", "cores", "product")} == {
        "commit": "c",
        "date": "2026-11-28",
        "kind": "avx2",
        "processor": "AMD EPYC 9R14",
        "cores": 2,
        "product": 207,
    }
    assert len(line["ratios"]) == 2 * len(history.SHAPES)
    row = next(row for row in whole_report().rows() if str(row.case) == "training 100,32,64,64")
    figures = line["ratios"]["rnn training 100,32,64,64"]
    assert figures["torch"] == pytest.approx(row.ratio("torch"), rel=5e-3)
    assert figures["product"] == pytest.approx(row.case.flops / row.ours.best / 1e3 / 207, rel=5e-3)
