"""Files as spreadsheets and banks write them, from the first command to the last."""

import csv
import io
import math
from pathlib import Path

import pytest

QUICK = ("--networks", "1", "--hidden-size", "4", "--epochs", "1", "--threads", "1")


def german(value):
    return f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")


def written(name, header, row, months=48, first=0, encoding="utf-8"):
    """Write a row a month; ``row`` is given the year, the month and a number in thousands."""
    numbers = [1500 + 400 * math.sin(i * math.pi / 6) + i * 7919 % 13 for i in range(first, first + months)]
    rows = [row(2015 + (first + i) // 12, (first + i) % 12 + 1, number) for i, number in enumerate(numbers)]
    Path(name).write_bytes("\r\n".join([header, *rows, ""]).encode(encoding))
    return name


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def german_row(year, month, number):
    return f"01.{month:02}.{year};{german(number)} €;Köln"


def test_a_german_export_works_without_options_and_later_files_are_read_likewise(elman):
    written("umsatz.csv", "Datum;Umsatz;Filiale", german_row, encoding="utf-8-sig")
    told = elman("train", "forecast", "umsatz.csv", "--out", "m", *QUICK)
    assert told.code == 0, told.err
    assert "times from 'Datum', target 'Umsatz' (--time and --target name others)" in told.out.replace("\n", " ")
    found = table(elman("forecast", "m", "--horizon", "2").out)
    assert [row["Datum"] for row in found] == ["01.01.2019", "01.02.2019"]
    assert 1000 < float(found[0]["Umsatz"]) < 2000
    Path("later.csv").write_text("Datum;Umsatz\n01.01.2019;1.500\n01.02.2019;1.700\n")  # of either notation and order
    assert table(elman("forecast", "m", "later.csv", "--horizon", "1").out)[0]["Datum"] == "01.03.2019"
    assert elman("predict", "m", "later.csv").out.startswith("Datum,Umsatz,Umsatz_lower,Umsatz_upper\n01.03.2019,1")
    assert elman("predict", "m", "later.csv", "--decimal", "point").code == 0


def test_an_american_export_works_without_options(elman):
    written("sales.csv", "Date,Sales,Region", lambda year, month, number: f'{month}/1/{year},"${number:,.2f}",West')
    told = elman("train", "forecast", "sales.csv", "--out", "m", *QUICK)
    assert told.code == 0, told.err
    assert [row["Date"] for row in table(elman("forecast", "m", "--horizon", "2").out)] == ["1/1/2019", "2/1/2019"]
    written("later.csv", "Date,Sales", lambda year, month, number: f"{month}/1/{year},{number:.0f}", 14, 48)
    assert elman("evaluate", "m", "later.csv").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("umsatz.csv", "--decimal", "dot"), "elman: --decimal: expected point or comma, got 'dot'\n"),
        (("umsatz.csv", "--dates", "us"), "elman: --dates: expected day-first, month-first or year-first, got "),
        (("days.csv",), "elman: days.csv, column 'day', line 3: expected times that show what comes first,"),
        (("dots.csv",), "elman: dots.csv, line 2, column 'x': expected numbers that show what stands before decimals"),
        (("book.xlsx",), "elman: book.xlsx: expected one of .csv, .tsv, .tab, .jsonl, .ndjson, .txt, got .xlsx; save"),
        (("latin.csv",), "elman: latin.csv, line 2: expected utf-8 text, got an invalid byte (byte 43 of"),
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused_with_the_option_that_decides(elman, words, message):
    written("umsatz.csv", "Datum;Umsatz;Filiale", german_row)
    written("latin.csv", "Datum;Umsatz;Filiale", german_row, encoding="cp1252")
    Path("days.csv").write_text("day,x\n" + "".join(f"01/{day:02}/2019,{day}\n" for day in range(1, 13)))
    Path("dots.csv").write_text("month;x\n" + "".join(f"2019-{month:02};1.500\n" for month in range(1, 13)))
    told = elman("train", "forecast", *words, "--out", "m")
    assert (told.code, told.err.startswith(message), told.err.count("\n")) == (2, True, 1), told.err


def test_sequences_are_read_in_a_notation_that_the_model_remembers(elman):
    rows = [f"{s};{t:02}.01.2019;{'up' if s % 2 else 'down'};{s % 2},{t}" for s in range(8) for t in range(1, 5)]
    Path("x.csv").write_text("\n".join(["id;day;label;x", *rows, ""]))
    words = (
        "train",
        "classify",
        "x.csv",
        "--sequence",
        "id",
        "--time",
        "day",
        "--out",
        "m",
        "--epochs",
        "1",
        "--hidden-size",
        "4",
    )
    asked = elman(*words)
    assert asked.err.startswith(
        "elman: x.csv, column 'day', line 3: expected times that show what comes first, day or month, got "
        "'02.01.2019'; say which with --dates day-first or --dates month-first"
    )
    assert elman(*words, "--dates", "day-first").code == 0
    assert "dates 'day-first', decimal 'comma'" in elman("info", "m").out.replace("\n", " ")
    predicted = elman("predict", "m", "x.csv")
    assert (predicted.code, predicted.out.count("\n")) == (0, 8)
    refused = elman("predict", "m", "x.csv", "--decimal", "point")
    assert refused.err.startswith(
        "elman: x.csv, line 2, column 'x': expected a number with a decimal point, or nothing, got"
    )
    texts = elman("train", "classify", "x.csv", "--dates", "day-first", "--out", "n")
    assert (
        texts.err
        == "elman: --dates: expected this option for sequences of numbers (.ts, .npz, or --sequence), got texts\n"
    )
