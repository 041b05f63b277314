import io
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.tasks import InputError
from elman.tasks._forecaster.files import SeriesColumns, find_columns, read_series

MONTHS = "JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC"


def written(folder, text, name="series.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_numbers_times_and_what_is_missing_are_read(tmp_path):
    path = written(tmp_path, "day,x,y\n2020-01-01,1,\n2020-01-02,NA,2.5\n\n2020-01-04, -3e2 ,nan\n")
    series = read_series(path, SeriesColumns("day", ("x",), ("y",)))
    np.testing.assert_array_equal(series.values, [[1, np.nan], [np.nan, 2.5], [np.nan, np.nan], [-300, np.nan]])
    assert (series.names, series.grid.label(0)) == (("x", "y"), "2020-01-01")
    assert series.notices == ["1 of 4 steps (a day each) have no row"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "t\tx\n1\t5\n2\t\n"),
        ("a.jsonl", '{"t": 1, "x": 5}\n{"t": 2, "x": null}\n'),
        ("a.csv", "t,x\n2,?\n1,5\n"),
    ],
)
def test_every_kind_of_table_is_read(tmp_path, name, text):
    series = read_series(written(tmp_path, text, name), SeriesColumns("t", ("x",)))
    np.testing.assert_array_equal(series.values, [[5], [np.nan]])


def test_without_times_the_rows_are_the_steps(tmp_path):
    series = read_series(written(tmp_path, "x\n3\n1\n2\n"), SeriesColumns(None, ("x",)))
    assert series.values[:, 0].tolist() == [3, 1, 2]
    assert series.grid.label(2) == "2"


def test_a_table_with_a_year_a_row_is_recognized(tmp_path):
    rows = "".join(f"{year},{','.join(str(year + month / 100) for month in range(12))}\n" for year in (1950, 1951))
    path = written(tmp_path, f"YEAR,{MONTHS}\n{rows}")
    columns = find_columns(path, None, (), ())
    assert columns == SeriesColumns("YEAR", ("value",))
    series = read_series(path, columns)
    assert (len(series), series.grid.label(23), series.values[13, 0]) == (24, "1951-12", 1951.01)
    assert series.notices == ["a table with a year a row: its months were put behind one another"]
    broken = written(tmp_path, f"YEAR,{MONTHS}\n{rows.replace('1951,', 'x,')}")
    with pytest.raises(InputError, match=r"line 3, column 'YEAR': expected a year, got 'x'$"):
        read_series(broken, columns)


def test_columns_are_found_by_name_or_because_there_is_no_other(tmp_path):
    path = written(tmp_path, 'day,x,y,"a,b"\n1,2,3,4\n')
    assert find_columns(path, "day", ["x,y"], ["a,b"]) == SeriesColumns("day", ("x", "y"), ("a,b",))
    assert find_columns(path, "day", ["y", "x"], ()) == SeriesColumns("day", ("y", "x"))
    assert find_columns(path, "day", (), ["x", "a,b"]) == SeriesColumns("day", ("y",), ("x", "a,b"))
    with pytest.raises(InputError, match=r"expected --target, one or more of the columns 'x', 'y', 'a,b'$"):
        find_columns(path, "day", (), ())
    with pytest.raises(
        InputError, match=r"expected each column once, as time, target, covariate or known, got 'x' twice$"
    ):
        find_columns(path, "day", ["x"], ["x"])


def test_standard_input_is_csv(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"t,x\n1,2\n2,3\n")))
    assert read_series("-", SeriesColumns("t", ("x",))).values[:, 0].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"expected a header and rows, the file is empty$"),
        ("t,x\n", r"expected rows after the header, there are none$"),
        ("t,y\n1,2\n", r"line 1: expected a column 'x', the columns are 't', 'y'$"),
        ("t,x\n1,2\n2,two\n", r"line 3, column 'x': expected a number, or nothing, got 'two'$"),
        ("t,x\n1,inf\n", r"line 2, column 'x': expected a number, or nothing, got 'inf'$"),
        ("t,x\n1,1e300\n", r"line 2, column 'x': expected a number up to 1e\+100, or nothing, got '1e300'$"),
        ("t,x\n1,1_000\n", r"line 2, column 'x': expected a number, or nothing, got '1_000'$"),
        ('t,x\n1,"1,5"\n2,2.5\n', r"line 3, column 'x': expected a decimal comma, as '1,5' in line 2, got '2.5'$"),
        ("t,x\nmonday,2\n", r"column 't', line 2: expected a time \(.*\), got 'monday'$"),
        ("t,x\n1,2\n2020-01-01,2\n", r"column 't', line 3: expected a time written as the first, '1', got"),
        ("t,x\n1,2\n1,3\n", r"column 't', line 3: expected times that differ, got 1 again; add up the"),
        ("t,x\n1,2,3\n", r"line 2: expected 2 fields \(t, x\), got 3"),
        ("t,x,x\n1,2,3\n", r"line 1: expected one column 'x', got 2$"),
        ("t,x\n0,1\n1,1\n99999999,1\n", r"expected times at steps of one length, .*, got 3 rows over"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=message) as refused:
        read_series(path, SeriesColumns("t", ("x",)))
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


@given(st.text('0123456789-.:,TZQ\n" eE/', max_size=200), st.sampled_from(["csv", "tsv", "jsonl"]))
def test_whatever_a_file_holds_is_read_or_refused(text, kind):
    with TemporaryDirectory() as folder:
        path = written(Path(folder), f"t,x\n{text}", f"series.{kind}")
        try:
            series = read_series(path, SeriesColumns("t", ("x",)))
        except InputError:
            return
        assert np.isfinite(series.values).sum() <= text.count("\n") + 1
        assert series.grid.label(len(series) - 1)


def test_plain_text_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected a table with a series .*, got plain text; a table in a .txt"):
        read_series(written(tmp_path, "1\n2\n", "series.txt"), SeriesColumns(None, ("x",)))
