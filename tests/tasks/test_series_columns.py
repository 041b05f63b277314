"""The columns that a person means by naming none, or some."""

import pytest

from elman.tasks import InputError
from elman.tasks._forecaster.columns import said_of
from elman.tasks._forecaster.files import SeriesColumns, find_columns, read_series

MONTHS = [f"{2015 + i // 12}-{i % 12 + 1:02}" for i in range(30)]


def table(folder, header, row, encoding="utf-8"):
    """Write a table with rows of a number, a month, and another number."""
    rows = "".join(row.format(i=i, month=month, x=1000.5 + i) for i, month in enumerate(MONTHS))
    (folder / "x.csv").write_text(f"{header}\n{rows}", encoding)
    return folder / "x.csv"


@pytest.mark.parametrize(
    ("header", "row", "time", "target"),
    [
        ("month,sales", "{month},{x}\n", "month", "sales"),
        ("Date,Sales,Region", "{month}-01,{x},West\n", "Date", "Sales"),
        (
            "Datum;Umsatz;Filiale",
            "01.{i:02}.20{i};{i},5 €;Köln\n".replace("01.{i:02}.20{i}", "{month}"),
            "Datum",
            "Umsatz",
        ),
        ("sales,when", "{x},{month}\n", "when", "sales"),
        (",month,sales", "{i},{month},{x}\n", "month", "sales"),
        (",sales", "{month},{x}\n", "", "sales"),
        ("year,temperature", "{i},{x}\n", "year", "temperature"),
        ("ds,y", "{month}-01,{x}\n", "ds", "y"),
        ("date,changed,sales", "{month},{month},{x}\n", "date", "sales"),
        ("sales", "{x}\n", None, "sales"),
        ("sales,shop", "{x},A\n", None, "sales"),
        ("日期,销量", "{month},{x}\n", "日期", "销量"),
    ],
)
def test_the_column_of_times_and_the_only_other_one_of_numbers_are_taken(tmp_path, header, row, time, target):
    path = table(tmp_path, header, row)
    found = find_columns(path, None, (), ())
    assert found == SeriesColumns(time, (target,))
    assert len(read_series(path, found)) == 30


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("Date,Open,Close", "{month},{x},{x}\n", r"expected --target, one or more of the columns 'Open', 'Close'$"),
        (
            "booked,paid,sum",
            "{month},{month},{x}\n",
            r"expected --time, one of the columns 'booked', 'paid', all of wh",
        ),
        ("month,shop", "{month},A\n", r"expected a column of numbers to forecast, the columns are 'shop'$"),
        ("Year,Month,x", "2015,{i},{x}\n", r"expected --target, one or more of the columns 'Year', 'x'$"),
        (
            "Year,Quarter,x",
            "2015,1,{x}\n",
            r"expected one column of times that differ, such as 2024-01 or Jan 2024, "
            r"got 'Year' \('2015', …\), 'Quarter' \('1', …\); with --time none the rows are the steps$",
        ),
        (
            "month,x",
            "Januar {i},{x}\n",
            r"expected one column of times that differ, .* got 'month' \('Januar \d+', …\);",
        ),
    ],
)
def test_what_could_be_several_is_refused_with_the_option(tmp_path, header, row, message):
    with pytest.raises(InputError, match=message):
        find_columns(table(tmp_path, header, row), None, (), ())


@pytest.mark.parametrize(
    ("header", "row"), [("2014-12,99.5", "{month},{x}\n"), ("100", "{x}\n"), ("1;2,5", "{i};{x}\n")]
)
def test_a_table_without_names_is_refused_unless_columns_are_named(tmp_path, header, row):
    file = table(tmp_path, header, row)
    for time in (None, "none"):
        with pytest.raises(InputError, match=r"x\.csv: expected a line of names above the rows, got '"):
            find_columns(file, time, (), ())
    assert find_columns(file, "none", (header.split(",")[-1].split(";")[0],), ()).time is None


def test_a_row_that_is_wrong_is_refused_with_its_line(tmp_path):
    path = table(tmp_path, "month,x", "{month},{i}\n")
    whole = path.read_text()
    for wrong, message in (
        ("2015-07", "column 'month', line 8: expected a time"),
        (",6\n", "line 8, column 'x': expected a n"),
    ):
        path.write_text(whole.replace(wrong, wrong.replace("6", "six").replace("2015-07", "later")))
        with pytest.raises(InputError, match=message):
            read_series(path, find_columns(path, None, (), ()))


def test_what_is_named_is_taken_and_none_is_no_time(tmp_path):
    path = table(tmp_path, "month,open,close", "{month},{x},{x}\n")
    assert find_columns(path, None, ["close"], ()) == SeriesColumns("month", ("close",))
    assert find_columns(path, None, (), ["open"]) == SeriesColumns("month", ("close",), ("open",))
    assert find_columns(path, "none", ["close"], ()) == SeriesColumns(None, ("close",))
    called = table(tmp_path, "none,close", "{month},{x}\n")
    assert find_columns(called, "none", (), ()) == SeriesColumns("none", ("close",))


def test_what_was_taken_is_said_in_a_line():
    found = SeriesColumns("month", ("sales",))
    assert said_of(found, None, ()) == ["times from 'month', target 'sales' (--time and --target name others)"]
    assert said_of(found, None, ["sales"]) == ["times from 'month' (--time names another)"]
    assert said_of(found, "month", ()) == ["target 'sales' (--target names another)"]
    assert said_of(found, "month", ["sales"]) == []
    assert said_of(SeriesColumns(None, ("x",)), None, ["x"]) == [
        "no column holds times, the rows are the steps (--time names another)"
    ]


def test_a_table_by_months_has_a_notation_too(tmp_path):
    header = "Jahr;" + ";".join(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"])
    (tmp_path / "x.csv").write_text(
        f"{header}\n" + "".join(f"{y};" + ";".join(["1.234,5"] * 12) + "\n" for y in (2001, 2002))
    )
    series = read_series(tmp_path / "x.csv", find_columns(tmp_path / "x.csv", None, (), ()))
    assert (len(series), series.values[0, 0], series.decimal) == (24, 1234.5, "comma")


def test_empty_rows_below_a_table_are_left_out_and_sums_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("month,x,,\n2019-01,1,,\n2019-02,,,\n,,,\n,,,\n")
    found = find_columns(path, None, (), ())
    assert len(read_series(path, found)) == 2
    path.write_text("month,x\n2019-01,1\n,1\n")
    with pytest.raises(
        InputError, match=r"x\.csv, line 3, column 'month': expected a time, got an empty field; leave out"
    ):
        read_series(path, find_columns(path, None, (), ()))
