"""What was measured, as RESULTS.md and the READMEs show it."""

import json
import re
import subprocess
import sys
from pathlib import Path

from benchmarks import results
from tests.bench.reports import MACHINE, whole_report

ROOT = Path(__file__).parents[2]
MEASURED = {"machine": MACHINE, "versions": {"elman": "1.2.3"}}
TARGET = {
    "what": "a call", "at": "3,1,2,4", "figure": 7.891, "unit": "µs", "target": "≤ 8 µs", "met": True, "torch": 41.0,
}  # fmt: skip
SERIES = {
    "name": "steps", "at": "x,1,32,64", "unit": "µs a step",
    "points": [{"x": 10, "inference": {"elman": 1.0, "torch": 9.0}, "training": {"elman": 2.0, "torch": 30.0}}],
}  # fmt: skip


def test_results_are_written_into_the_page_and_the_readme(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "MEASURED", tmp_path)
    monkeypatch.setattr(results, "PAGE", tmp_path / "PAGE")
    monkeypatch.setattr(results, "READMES", {tmp_path / path.name: words for path, words in results.READMES.items()})
    readmes = [tmp_path / "README.md", tmp_path / "README.zh.md"]
    for readme in readmes:
        readme.write_text("a\n<!-- speed: b -->\nold\n<!-- end of speed -->\nc\n")
    for cell in ("rnn", "lstm"):
        (tmp_path / f"table-{cell}-avx512.json").write_text(whole_report(cell=cell).to_json())
    results.main()
    page = tmp_path / "PAGE"
    assert "\n100,64,512,512" in page.read_text()
    assert [line for line in page.read_text().splitlines() if line.startswith("###")] == [
        "### RNN, AVX-512",
        "### LSTM, AVX-512",
    ]
    assert "![LSTM, AVX-512: time a step against hidden size](../docs/images/speed-lstm-avx512.png)" in page.read_text()
    assert results.NO_ENGINE not in page.read_text()
    assert "What else" not in page.read_text()
    tables = []
    for readme in readmes:
        first, second, *table, last, end = readme.read_text(encoding="utf-8").splitlines()
        assert [first, second, last, end] == ["a", "<!-- speed: b -->", "<!-- end of speed -->", "c"]
        assert len([line for line in table if line[2:3].isdigit()]) == 9
        assert "old" not in table
        tables.append(table)
    english, chinese = tables
    assert english[:2] == ["AVX-512 (AMD EPYC 9R14, 2 cores)", ""]
    assert chinese[:2] == ["AVX-512（AMD EPYC 9R14，2 核）", ""]
    english, chinese = english[2:], chinese[2:]
    assert english[1:-2] == chinese[1:-2]
    assert english[0].startswith("| steps, batch, input, hidden | inference | best peer | torch | training |")
    assert chinese[0].startswith("| 步数、批、输入、隐藏单元 | 推理 | 最快的其他库 | torch | 训练 |")
    for ours, theirs, cell in zip(english[-2:], chinese[-2:], ("RNN", "LSTM"), strict=True):
        assert ours.startswith(f"| {cell}, geometric mean |")
        assert theirs.startswith(f"| {cell}，几何平均 |")
        assert ours.split(" | ")[1:] == theirs.split(" | ")[1:]

    (tmp_path / "targets-lstm-avx512.json").write_text(json.dumps(MEASURED | {"rows": [TARGET]}))
    (tmp_path / "scaling-avx512.json").write_text(json.dumps(MEASURED | {"series": [SERIES]}))
    before = [readme.read_text(encoding="utf-8") for readme in readmes]
    results.main()
    assert "\nWhat else the speed of LSTM is held to: AMD EPYC" in page.read_text()
    assert "| a call | 3,1,2,4 | 7.89 µs | 41.0 µs | ≤ 8 µs | met |" in page.read_text()
    assert "| steps | inference: elman | inference: torch | training: elman | training: torch |" in page.read_text()
    assert "| 10 | 1.00 | 9.00 | 2.00 | 30.0 |" in page.read_text()
    assert "\n## How it scales, AVX-512\n" in page.read_text()
    assert [readme.read_text(encoding="utf-8") for readme in readmes] == before


def test_each_kind_of_processor_has_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "MEASURED", tmp_path)
    monkeypatch.setattr(results, "PAGE", tmp_path / "PAGE")
    readme = tmp_path / "README.md"
    monkeypatch.setattr(results, "READMES", {readme: next(iter(results.READMES.values()))})
    readme.write_text("<!-- speed: -->\n<!-- end of speed -->")
    for kind in ("avx512", "avx2"):
        report = whole_report()
        report.machine = report.machine | {"instruction_set": kind, "processor": f"one with {kind}"}
        report.timings = [each for each in report.timings if each.contender != "elman engine" or kind == "avx512"]
        (tmp_path / f"table-rnn-{kind}.json").write_text(report.to_json())
    results.main()
    named = [line for line in readme.read_text().splitlines() if "one with" in line]
    assert named == ["AVX2 (one with avx2, 2 cores)", "AVX-512 (one with avx512, 2 cores)"]
    _, avx2, avx512 = (tmp_path / "PAGE").read_text().split("\n### ")
    assert (results.NO_ENGINE in avx2, results.NO_ENGINE in avx512) == (True, False)


def test_the_readmes_have_a_place_for_results_and_show_the_same():
    english, chinese = (results.BLOCK.search(readme.read_text(encoding="utf-8")) for readme in results.READMES)
    assert figures(english[0]) == figures(chinese[0])


def figures(table: str) -> list[str]:
    return re.findall(r"[\d.,]+(?:x| µs| ms)", table)


def test_targets_are_measured():
    command = [sys.executable, ROOT / "benchmarks/targets.py", "--only", "streams"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["out=y)", "out=y)"]
