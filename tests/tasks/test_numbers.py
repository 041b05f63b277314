"""Numbers as people write them, decided by all of a table."""

import math
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman._errors import InputError, OptionError
from elman.tasks._numbers import check_decimal, looks_like_number, read_numbers


def read(*texts, delimiter=",", **named):
    return read_numbers({"x": texts}, range(2, len(texts) + 2), "f.csv", delimiter, **named)


def values(*texts, **named):
    return read(*texts, **named).values[:, 0].tolist()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "-2.5", "+3e2", " 1e-05 ", ".5", "5."], [1, -2.5, 300, 1e-5, 0.5, 5]),
        (["1,000", "950", "2,500"], [1000, 950, 2500]),
        (["1,234.50", "0.5", "1,234,567"], [1234.5, 0.5, 1234567]),
        (["1.234,56", "1.234", "12,5"], [1234.56, 1234, 12.5]),
        (["1.234.567"], [1234567]),
        (["1 234,5", "12\u202f345,1", "1\u00a0234\u2009567,0"], [1234.5, 12345.1, 1234567]),
        (["1'234.50", "1’234"], [1234.5, 1234]),
        (["1,00,000", "12,34,567.5"], [100000, 1234567.5]),
        (["$1,234.50", "-$5", "($7.00)", "$ (8.00)", "$ -2", "0"], [1234.5, -5, -7, -8, -2, 0]),
        (["1.234,00 €", "5,5 €"], [1234, 5.5]),
        (["EUR 1.5", "USD3", "R$ 2"][:1], [1.5]),
        (["12.5%", "3 %", "0"], [12.5, 3, 0]),
        (["−5", "–6", "7.5-", "(8)"], [-5, -6, -7.5, -8]),
        (["１，２３４．５", "９"], [1234.5, 9]),
        (["0,123", "10,500"], [0.123, 10.5]),
        (["1.234", "2.345"], [1.234, 2.345]),
        (["1.234,5", "1.234"], [1234.5, 1234]),
    ],
)
def test_numbers_are_read_as_all_of_a_column_says(texts, expected):
    assert values(*texts) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "-", "NA", "N/A", "#N/A", "nan", "NaN", "null", "NULL", "None", "<NA>", "?", "..", "n.a.", "\\N"]
)
def test_what_pandas_takes_for_missing_is_missing(text):
    first, second = values(text, "1")
    assert (math.isnan(first), second) == (True, 1)


@pytest.mark.parametrize(
    "text",
    ["two", "1_000", "inf", "1 2", "1,23,4", "1.2.3", "5kg", "--5", "(-5)", "٣", "1,.5", "(5", "5)(", "1(2)", "((5))"],
)
def test_what_is_no_number_is_refused_with_its_place(text):
    with pytest.raises(InputError) as refused:
        read("1", text)
    assert str(refused.value) == f"f.csv, line 3, column 'x': expected a number, or nothing, got {text!r}"
    assert not looks_like_number(text) or text == "inf"


def test_a_number_beyond_what_can_be_squared_is_refused():
    with pytest.raises(
        InputError, match=r"^f\.csv, line 2, column 'x': expected a number up to 1e\+100, or nothing, got"
    ):
        read("1e101")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["1,5", "2.5"], "line 3, column 'x': expected a decimal comma, as '1,5' in line 2, got '2.5'"),
        (["$5", "€5"], "line 3, column 'x': expected $ with each number, as in line 2, got '€5'"),
        (["12%", "0.12"], "line 3, column 'x': expected % with each number, as in line 2, got '0.12'"),
    ],
)
def test_a_column_that_contradicts_itself_is_refused(texts, message):
    with pytest.raises(InputError) as refused:
        read(*texts)
    assert str(refused.value) == f"f.csv, {message}"


def test_one_column_tells_for_all_of_a_table():
    table = {"units": ["1.200", "1.500"], "sum": ["2,5", "7"]}
    assert read_numbers(table, [2, 3], "f.csv", ";").values.tolist() == [[1200, 2.5], [1500, 7]]


def test_where_no_number_says_what_parts_the_fields_decides_or_the_person():
    among_commas, among_semicolons = read("1,000", "2,000"), read("1,000", delimiter=";")
    assert (among_commas.values[0, 0], among_commas.decimal) == (1000, "point")
    assert among_commas.notices == [
        "the comma in 1,000 was read as between thousands; --decimal comma reads it otherwise"
    ]
    assert (among_semicolons.values[0, 0], among_semicolons.decimal) == (1, "comma")
    assert among_semicolons.notices == [
        "the comma in 1,000 was read as before decimals; --decimal point reads it otherwise"
    ]
    for text, delimiter in (("1.000", ";"), ("1,000", "\t"), ("1,000", "")):
        with pytest.raises(
            InputError, match=r"^f\.csv, line 2, column 'x': expected numbers that show what stands before"
        ):
            read(text, delimiter=delimiter)
        assert values(text, delimiter=delimiter, decimal="comma") == [1000 if "." in text else 1]
        assert values(text, delimiter=delimiter, like="point") == [1 if "." in text else 1000]
    with pytest.raises(InputError, match=r"expected a number with a decimal point, or nothing, got '1,5'$"):
        read("1,5", decimal="point")
    with pytest.raises(OptionError, match=r"^decimal: expected point or comma, got '\.'$"):
        check_decimal(".")


numbers = st.decimals(-(10**9), 10**9, allow_nan=False, places=2)


@given(
    st.lists(numbers, min_size=1, max_size=9),
    st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", "."), ("", ".")]),
)
def test_numbers_come_back_from_every_notation(numbers, marks):
    gap, mark = marks
    texts = [f"{number:,.2f}".replace(",", "_").replace(".", mark).replace("_", gap) for number in numbers]
    assert [Decimal(f"{value:.2f}") for value in values(*texts)] == [n or abs(n) for n in numbers]


@given(st.lists(st.text("0123456789.,-+ '$%()eE€", max_size=12), min_size=1, max_size=4))
def test_any_texts_are_numbers_or_refused(texts):
    with suppress(InputError):
        assert read(*texts).values.shape == (len(texts), 1)
