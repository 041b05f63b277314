"""Readers of sequences of numbers: what they read, and the place of whatever they refuse."""

from pathlib import Path

import numpy as np
import pytest

from elman.tasks import InputError
from elman.tasks._classifiers.sequence_file import SequenceColumns, holds_sequences, read_sequences

TS = """# a comment
@problemName Two
@timeStamps false
@classLabel true up down

@data
1,2,3:10,20,?:up
3,1:-1e1,NaN:down
"""
TABLE = "id,t,label,name,x,y\na,2,up,n,2,20\nb,1,down,n,3,\na,1,up,n,1,10\n"
COLUMNS = SequenceColumns("id", "label", "t")


def write(folder, name, content):
    path = folder / name
    path.write_text(content, encoding="utf-8") if isinstance(content, str) else np.savez(path, **content)
    return path


def read(path, columns=COLUMNS, labelled=True):
    found = read_sequences(path, columns, labelled=labelled)
    return [sequence.tolist() for sequence in found.values], found.labels, found.names


def equal(values, expected):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(values, expected, strict=True))


def test_ts_files(tmp_path):
    values, labels, names = read(write(tmp_path, "two.ts", "%# as in those of aeon\n%\n" + TS))
    assert equal(values, [[[1, 10], [2, 20], [3, np.nan]], [[3, -10], [1, np.nan]]])
    assert (labels, names) == (["up", "down"], [1, 2])
    bare = TS.replace("true up down", "false").replace(":up", "").replace(":down", "")
    assert read(write(tmp_path, "bare.TS", bare), labelled=False)[1] is None


@pytest.mark.parametrize(("part", "count"), [("train", 270), ("test", 370)])
def test_the_vowels_that_ship(part, count):
    path = Path(__file__).parents[2] / f"data/japanese_vowels_{part}.ts"
    found = read_sequences(path, SequenceColumns(), labelled=True)
    assert len(found.values) == count
    assert {sequence.shape[1] for sequence in found.values} == {12}
    lengths = [len(sequence) for sequence in found.values]
    assert min(lengths) == 7
    assert max(lengths) in (26, 29)
    assert set(found.labels) == set("123456789")


def test_npz_files(tmp_path):
    X = np.arange(12.0).reshape(2, 3, 2)
    values, labels, _ = read(write(tmp_path, "a.npz", {"X": X, "y": [3, 1], "lengths": [3, 2]}))
    assert values == [X[0].tolist(), X[1, :2].tolist()]
    assert labels == ["3", "1"]
    assert read(write(tmp_path, "b.npz", {"X": X[:, :, 0]}), labelled=False)[0][1] == [[6], [8], [10]]


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_tables_with_a_row_for_each_step(tmp_path, form):
    content = TABLE if form == "csv" else TABLE.replace(",", "\t")
    if form == "jsonl":
        content = '{"id": "a", "t": 2, "label": "up", "name": "n", "x": 2, "y": 20}\n' \
            '{"id": "b", "t": 1, "label": "down", "name": "n", "x": 3, "y": null}\n' \
            '{"id": "a", "t": 1, "label": "up", "name": "n", "x": 1, "y": 10}\n'  # fmt: skip
    path = write(tmp_path, f"a.{form}", content)
    values, labels, names = read(path)
    assert equal(values, [[[1, 10], [2, 20]], [[3, np.nan]]])
    assert (labels, names) == (["up", "down"], ["a", "b"])
    assert read_sequences(path, COLUMNS, labelled=True).channels == ["x", "y"]
    in_order = SequenceColumns("id", "label", None, ("y",))
    assert read(path, in_order, labelled=False)[0][0] == [[20], [10]]


def test_times_are_numbers_or_else_texts(tmp_path):
    numbers = "id,t,label,x\na,10,u,1\na,9,u,2\n"
    assert read(write(tmp_path, "a.csv", numbers))[0] == [[[2], [1]]]
    dates = "id,t,label,x\na,2026-02-01,u,1\na,2026-01-31,u,2\n"
    assert read(write(tmp_path, "b.csv", dates))[0] == [[[2], [1]]]


@pytest.mark.parametrize(
    "form", ["{}", "1e{}", "2024-01-01 00:00:0{}", "2024-01-01T00:00:0{}Z", "2024-01-01 00:00:0{}+05:30"]
)
def test_rows_are_ordered_by_fractions_of_a_second(tmp_path, form):
    times = ["1e-3", "9e-4", "2e-3"] if form == "1e{}" else [form.format(second) for second in ("0.75", "0.25", "1.0")]
    rows = "".join(f"a,{time},u,{x}\n" for time, x in zip(times, (2, 1, 3), strict=True))
    assert read(write(tmp_path, "a.csv", f"id,t,label,x\n{rows}"))[0] == [[[1], [2], [3]]]


def test_which_files_hold_sequences():
    assert holds_sequences("a/b.TS")
    assert holds_sequences("b.npz")
    assert not holds_sequences("b.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.ts",
            TS.replace("10,20", "10,2x"),
            r"line 7, channel 2, value 2: expected a number, or \? for a missing one",
        ),
        ("a.ts", TS.replace("10,20", "10,"), "line 7, channel 2, value 2: expected a number, .* got ''"),
        ("a.ts", TS.replace("10,20", "10,inf"), "line 7, channel 2, value 2: expected a number"),
        ("a.ts", TS.replace("10,20,?", "10,20"), "line 7, channel 2: expected 3 values as in channel 1, got 2"),
        ("a.ts", TS.replace(":down", ":left"), r"line 8: expected a label of @classLabel \(up, down\), got 'left'"),
        ("a.ts", TS.replace("3,1:", ""), "line 8: expected 2 channels, as the first example has, got 1"),
        ("a.ts", TS.replace("3,1:-1e1,NaN:", ""), "line 8: expected values and a label with a colon between"),
        ("a.ts", TS.replace("@data", "@date"), "line 7: expected a line of the header"),
        ("a.ts", TS.partition("@data")[0], "expected a line @data and examples after it, there is none"),
        ("a.ts", TS.partition("1,2")[0], "expected examples after @data, there are none"),
        ("a.ts", TS.replace("Stamps false", "Stamps true"), "expected values without time stamps"),
        ("a.ts", TS.replace("@classLabel true up down", "@targetLabel true"), "expected labels of classes"),
        ("a.ts", TS.replace("true up down", "false"), "line 7, channel 3: expected 3 values as in channel 1, got 1"),
        ("a.npz", "not a zip", r"expected a \.npz file with the arrays X .*, got: "),
        ("a.npz", {"Z": np.zeros(3)}, "expected the arrays X .*, got Z"),
        ("a.npz", {"X": np.array([[1], [1, 2]], object)}, "got: an array of Python objects"),
        ("a.npz", {"X": np.zeros(3)}, r"array X: expected the shape \(examples, steps\[, channels\]\), got \(3,\)"),
        ("a.npz", {"X": np.zeros((3, 4)), "y": [1, 2]}, r"array y: expected .* one an example, got int64 of \(2,\)"),
        ("a.npz", {"X": np.zeros((3, 4)), "y": [0.5, 1, 2]}, "array y: expected strings or integers"),
        ("a.npz", {"X": np.zeros((3, 4))}, "expected sequences with labels, got some without"),
        ("a.npz", {"X": np.array([["a"]]), "y": [1]}, "array X: expected real numbers"),
        ("a.npz", {"X": np.zeros((1, 4)), "y": [1], "lengths": [5]}, r"lengths\[0\]: expected 1 to 4"),
        ("a.npz", {"X": np.zeros((1, 4)), "y": [1], "lengths": [0]}, r"lengths\[0\]: expected 1 to 4"),
        ("a.npz", {"X": np.full((1, 4), np.inf), "y": [1]}, r"array X: expected finite numbers, or NaN"),
        ("a.csv", TABLE.replace(",3,", ",z,"), "line 3, column 'x': expected a number, or nothing, got 'z'; --channel"),
        ("a.csv", TABLE.replace("a,1,up", "a,1,down"), "line 4, column 'label': expected the label 'up', as in line 2"),
        ("a.csv", TABLE.replace("down", " "), "line 3, column 'label': expected a label, got ''"),
        ("a.csv", TABLE.replace("id", "di"), "line 1: expected a column 'id'"),
        ("a.csv", "id,t,label\na,1,up\n", "line 2: expected columns of numbers beside id, label, t, got none"),
        ("a.csv", TABLE.replace("name", "x"), "line 1: expected one column 'x', got 2"),
        ("a.txt", "1 2 3\n", r"expected sequences of numbers \(\.ts, .*\), got plain text"),
        ("a.csv", TABLE.replace("a,1,", ",1,"), "line 4, column 'id': expected what tells sequences apart, got ''"),
    ],
)
def test_bad_files_are_refused_by_place(tmp_path, name, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read(write(tmp_path, name, content))
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
