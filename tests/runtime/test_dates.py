"""Dates with the day or the month first, and months by their names."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman._errors import InputError, OptionError
from elman.runtime._forecaster.series import as_series
from elman.runtime._forecaster.times import read_times
from tests.runtime.moments import MONTHS, NEXT, each, following, series_of

DAYS = [datetime(2019, 1, 20) + timedelta(days=day) for day in range(63)]
HOURS = [datetime(2019, 1, 30, 20) + timedelta(hours=hour) for hour in range(63)]

DATES = [
    "%y-%m-%d", "%y/%m/%d", "%Y年%m月%d日", "%Y年%-m月%-d日", "%G-W%V-%u", "%GW%V%u",
    "%m/%d/%Y", "%-m/%-d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%-d.%-m.%Y", "%d-%m-%Y", "%m/%d/%y", "%-d.%-m.%y", "%d %b %Y",
    "%d-%b-%Y", "%d-%b-%y", "%-d %B %Y", "%d%b%Y", "%b %d, %Y", "%B %-d, %Y", "%b %-d %Y", "%Y-%b-%d", "%a %m/%d/%Y",
    "%A, %B %-d, %Y", "%a, %d %b %Y", "%Y-%-m-%-d",
]  # fmt: skip
CLOCKS = [
    "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y, %H:%M", "%m/%d/%Y %I:%M %p", "%m/%d/%y, %I:%M:%S %p",
    "%d %b %Y %H:%M", "%a, %d %b %Y %H:%M:%S GMT", "%d/%m/%YT%H:%M:%SZ", "%b %d, %Y %I:%M%p", "%Y-%m-%d %I:%M %p",
]  # fmt: skip


@pytest.mark.parametrize("form", DATES)
def test_days_are_read_and_go_on_as_they_were_written(form):
    texts = each(form, DAYS)
    series = series_of(texts[:60])
    said = (
        ["the times were read with the year first, which alone makes steps of one length"] if form[:2] == "%y" else []
    )
    assert (len(series), series.grid.describe(), series.notices) == (60, "a day", said)
    assert following(series) == texts[60:]


@pytest.mark.parametrize("form", CLOCKS)
def test_times_of_a_day_are_read_and_go_on_as_they_were_written(form):
    texts = each(form, HOURS)
    series = series_of(texts[:60])
    assert (len(series), series.grid.describe(), series.notices) == (60, "an hour", [])
    assert following(series) == texts[60:]


@pytest.mark.parametrize("form", ["%b %Y", "%B %Y", "%b-%y", "%b-%Y", "%m/%Y", "%-m/%Y", "%m.%Y", "%Y-%-m", "%Y %B"])
def test_months_are_read_and_go_on_as_they_were_written(form):
    series = series_of(each(form, MONTHS))
    assert (len(series), series.grid.describe(), following(series)) == (120, "a month", each(form, NEXT))


def test_a_date_without_a_leading_zero_has_none_in_what_follows():
    for form in ("%-m/%-d/%y", "%-d.%-m.%Y", "%Y-%-m-%-d"):
        texts = each(form, [datetime(2024, 9, day) for day in (27, 28, 29, 30)] + [datetime(2024, 10, 1)])
        assert following(series_of(texts[:4]), 1) == texts[4:]


def test_quarters_may_stand_before_their_year():
    for form in ("Q{} {}", "Q{}/{}", "q{}-{}"):
        texts = [form.format(i % 4 + 1, 2010 + i // 4) for i in range(21)]
        assert (series_of(texts[:20]).grid.describe(), following(series_of(texts[:20]), 1)) == ("a quarter", texts[20:])


@given(st.dates(date(1970, 1, 1), date(2068, 1, 1)), st.sampled_from(["%d/%m/%y", "%m/%d/%y", "%d.%m.%Y", "%d %B %Y"]))
def test_forty_days_come_back_from_either_order(first, form):
    texts = each(form, [datetime(first.year, first.month, first.day) + timedelta(days=day) for day in range(40)])
    series = series_of(texts)
    assert [series.grid.label(day) for day in range(len(series))] == texts


@pytest.mark.parametrize("first", ["day", "month"])
@pytest.mark.parametrize("months", [1, 3])
def test_the_order_that_alone_makes_steps_of_one_length_is_taken_and_said(first, months):
    form = "%d/%m/%Y" if first == "day" else "%m/%d/%Y"
    texts = each(form, [MONTHS[months * i] for i in range(34)])
    series = series_of(texts[:32])
    assert following(series, 2) == texts[32:]
    assert series.notices == [f"the times were read with the {first} first, which alone makes steps of one length"]
    gaps = [text for number, text in enumerate(texts) if number % 11 != 4]
    assert len(series_of(gaps)) == 34


@pytest.mark.parametrize("form", ["%m/%d/%Y", "%d.%m.%Y %H:%M", "%d-%m-%y"])
@pytest.mark.parametrize("years", [1, 10])
def test_years_that_read_alike_in_either_order_need_none(form, years):
    texts = each(form, [datetime(1969 + years * i, 1, 1) for i in range(10)])
    series = series_of(texts[:7])
    assert (series.grid.describe(), following(series), series.notices) == (
        "a year" if years == 1 else "a decade",
        texts[7:],
        [],
    )
    with pytest.raises(InputError, match="show what comes first, day or month"):  # of which days follow
        series_of(texts[:2], known=series_of(["2020-01-01", "2020-01-02"]).grid)


def test_an_order_that_nothing_tells_is_asked_for():
    texts = each("%d/%m/%Y", [datetime(2019, month, 1) for month in range(1, 13)])
    asked = (
        r"^times\[1\]: expected times that show what comes first, day or month, got '01/02/2019'; say which with "
        r"dates='day-first' or dates='month-first'$"
    )
    with pytest.raises(InputError, match=asked):
        series_of(texts)
    with pytest.raises(InputError, match=asked):
        read_times(texts, "times")

    def as_told(order):
        return as_series(["x"], np.zeros((12, 1)), texts, dates=order)

    assert (as_told("day-first").grid.describe(), as_told("month-first").grid.describe()) == ("a month", "a day")
    with pytest.raises(OptionError, match=r"^dates: expected day-first, month-first or year-first, got 'us'$"):
        as_told("us")


def test_a_month_of_dates_that_begin_or_end_with_a_year_of_two_digits_is_asked_for():
    days = [datetime(2024, 1, day) for day in range(1, 32)]
    asked = (
        r"^times\[0\]: expected times that show what comes first, day or year, got '24-01-01'; say which with dates="
    )
    with pytest.raises(InputError, match=asked):
        series_of(each("%y-%m-%d", days))
    told = as_series(["x"], np.zeros((31, 1)), each("%y-%m-%d", days), dates="year-first")
    assert (told.grid.describe(), following(told, 1), told.notices) == ("a day", ["24-02-01"], [])
    with pytest.raises(InputError, match=r"^times\[0\]: expected a time"):
        as_series(["x"], np.zeros((31, 1)), each("%d.%m.%Y", days), dates="year-first")
    for form in ("%d/%m/%y", "%d.%m.%y"):  # which rather begin with the day
        assert (following(series_of(each(form, days)), 1), series_of(each(form, days)).notices) == (
            [f"{datetime(2024, 2, 1):{form}}"],
            [],
        )
    assert read_times(["31/01/24", "01/02/24"], "times").form == "%d/%m/%y"  # of sequences, where no steps tell


@pytest.mark.parametrize(
    ("date", "clock"),
    [
        ("%Y-%m-%d ", "%H:%M"),
        ("%Y-%m-%d ", "%H:%M:%S"),
        ("%d.%m.%Y ", "%H:%M"),
        ("%d.%m.%Y ", "%H%M"),
        ("%Y%m%d", "%H%M"),
    ],
)
def test_the_end_of_a_day_is_the_beginning_of_the_next(date, clock):
    midnight = f"{datetime(2000, 1, 1):{clock}}".replace("00", "24", 1)
    texts = [
        f"{moment:{date}{clock}}" if moment.hour else f"{moment - timedelta(days=1):{date}}{midnight}"
        for moment in HOURS
    ]
    series = series_of(texts)
    assert (len(series), series.grid.describe()) == (63, "an hour")
    assert following(series, 3) == each(date + clock, [HOURS[-1] + timedelta(hours=hour) for hour in (1, 2, 3)])
    assert any(said.startswith(("24:00 was read as", "the times were read as YYYYMMDDHH")) for said in series.notices)


@pytest.mark.parametrize("minutes", [15, 60])
def test_the_hour_that_clocks_repeat_is_taken_together(minutes):
    moments = [datetime(2024, 10, 26) + timedelta(minutes=minutes * i) for i in range(48 * 60 // minutes)]
    again = [moment for moment in moments if (moment.day, moment.hour) == (27, 2)]
    after = moments.index(again[-1]) + 1
    series = series_of(each("%Y-%m-%d %H:%M", [*moments[:after], *again, *moments[after:]]))
    assert len(series) == len(moments)
    assert any("on a step that has one already" in said for said in series.notices)
    with pytest.raises(InputError, match=r": expected times that differ, got 2024-10-27 01:"):
        series_of(each("%Y-%m-%d %H:%M", [*moments, *again, moments[25 * 60 // minutes]]))


def test_days_without_a_century_or_dashes_are_numbers_and_it_is_said():
    said = series_of([f"2401{day:02}" for day in range(1, 32)]).notices
    assert said == ["the times were read as numbers; if they are YYMMDD, write them as YYYY-MM-DD"]


@pytest.mark.parametrize(
    "texts",
    [
        [f"{quarter}Q{year}" for year in range(2019, 2023) for quarter in (1, 2, 3, 4)],
        [f"{2019 + month // 12}年{month % 12 + 1}月" for month in range(16)],
        [f"{year}年" for year in range(2000, 2016)],
        [f"2024 W{week}" for week in range(10, 26)],
    ],
)
def test_quarters_months_years_and_weeks_go_on_as_they_were_written(texts):
    series = series_of(texts[:14])
    assert (len(series), following(series, 2), series.notices) == (14, texts[14:], [])


def test_a_model_reads_later_dates_as_its_own_or_as_its_steps_allow():
    german = series_of(each("%d.%m.%Y", MONTHS)).grid
    later = series_of(["01/01/2020", "01/02/2020"], german)
    assert (german.index_of(later.grid), following(later, 1)) == (120, ["01/03/2020"])
    iso = series_of(each("%Y-%m-%d", MONTHS)).grid
    later = series_of(["01/01/2020", "02/01/2020"], iso)
    assert (iso.index_of(later.grid), following(later, 1)) == (120, ["03/01/2020"])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["01/31/2019", "31/01/2019"], r"^times\[1\]: expected a time \(.*\), got '31/01/2019'$"),
        (["31/02/2019"], r"^times\[0\]: expected a time \("),
        (["13/13/2019"], r"^times\[0\]: expected a time \("),
        (["Mon 01/30/2019"], r"^times\[0\]: expected a time \("),
        (["1/30/2019 13:00 PM"], r"^times\[0\]: expected a time \("),
        (["Jan 19", "Feb 19"], r"^times\[0\]: expected a time \("),
        (["01/31/2019", "2019-02-01"], r"^times\[1\]: expected a time written as the first, '01/31/2019', got"),
        (["01/31/2019", "1/2/19"], r"^times\[1\]: expected a time written as the first, '01/31/2019', got"),
    ],
)
def test_dates_that_are_none_or_of_two_forms_are_refused(texts, message):
    with pytest.raises(InputError, match=message):
        series_of(texts)
