"""Times as people write them, the steps they lie on, and what is said of both."""

import random
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman._errors import InputError
from elman.runtime._forecaster.calendar import TimeGrid
from elman.runtime._forecaster.forms import is_form
from elman.runtime._forecaster.series import as_series
from elman.runtime._forecaster.times import read_times
from tests.runtime.moments import MONTHS, NEXT, each, following, in_berlin, last_business_day, series_of

START = datetime(2024, 1, 1)


def grid_of(*texts):
    series = series_of(sorted(texts))
    return series.grid, np.flatnonzero(np.isfinite(series.values[:, 0])).tolist()


@pytest.mark.parametrize(
    ("texts", "step", "following"),
    [
        (("19580329", "19580405", "19580419"), "a week", "19580426"),
        (("2020-01-31", "2020-02-29", "2020-03-31"), "a month", "2020-04-30"),
        (("2020-01-01", "2020-04-01", "2020-07-01"), "a quarter", "2020-10-01"),
        (("2001-01-30", "2001-02-28", "2001-03-30"), "a month", "2001-04-30"),
        (("2001Q1", "2001Q2", "2001Q3"), "a quarter", "2001Q4"),
        (("1991 Nov", "1991 Dec"), "a month", "1992 Jan"),
        (("1991-11", "1991-12"), "a month", "1992-01"),
        (("1700", "1701", "1703"), "1", "1704"),
        (("0", "5", "10"), "5", "15"),
        (("2000-01-01", "2001-01-01", "2002-01-01"), "a year", "2003-01-01"),
        (("2020-02-27", "2020-02-28"), "a day", "2020-02-29"),
        (("2020-12-31 23:00", "2021-01-01 00:00"), "an hour", "2021-01-01 01:00"),
        (("2020-12-31T23:45:00+01:00", "2020-12-31T23:00:00Z"), "15 minutes", "2020-12-31T23:15:00+00:00"),
    ],
)
def test_the_step_is_found_and_times_go_on_as_they_were_written(texts, step, following):
    grid, places = grid_of(*texts)
    assert grid.describe() == step
    assert grid.label(places[-1] + 1) == following


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "",
        "2020-13-01",
        "2020-02-30",
        "nan",
        "1e9999",
        "20201301x",
        "2020Q5",
        "24:00",
        "2020-01-01 24:01",
        "2020-01-01 24:00:00.5",
        "2020-01-01-16",
    ],
)
def test_what_is_no_time_is_refused_with_its_line(text):
    with pytest.raises(InputError, match=r"^f\.csv, column 'd', line 7: expected a time \(.*, got "):
        read_times(["2020-01-01", text], "f.csv, column 'd'", [6, 7])


def test_times_of_two_forms_are_refused():
    with pytest.raises(InputError, match=r"^times\[1\]: expected a time written as the first, '1', got '2020-01-02'$"):
        read_times(["1", "2020-01-02"], "times")


@given(st.dates(date(1000, 1, 1), date(9000, 1, 1)), st.integers(1, 400), st.integers(0, 30))
def test_days_come_back_as_they_were_written(first, step, count):
    written = [(first + timedelta(days=step * i)).isoformat() for i in range(count + 2)]
    grid, places = grid_of(*written)
    assert [grid.label(place) for place in places] == written


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.integers(1, 10**6), st.lists(st.booleans(), min_size=9)
)
def test_seconds_come_back_as_they_were_written_and_gaps_stay_gaps(first, step, present):
    moments = [first.replace(microsecond=0) + timedelta(seconds=step * i) for i in range(len(present) + 3)]
    kept = [moments[0], moments[1], moments[2]] + [m for m, p in zip(moments[3:], present, strict=True) if p]
    written = [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in kept]
    grid, places = grid_of(*written)
    assert [grid.label(place) for place in places] == written
    assert places == [moments.index(moment) for moment in kept]


@given(st.integers(0, 20000), st.sampled_from([1, 3, 12]), st.integers(1, 31))
def test_months_keep_their_day(first, step, day):
    grid = TimeGrid("month", step, first, "date", day)
    labels = [grid.label(i) for i in range(5)]
    assert all(int(label[-2:]) <= day for label in labels)
    found, places = grid_of(*labels)
    assert (found.unit, found.step, places) == ("month", step, [0, 1, 2, 3, 4])


def test_rows_are_sorted_put_onto_steps_and_all_that_is_said():
    times = ["2020-01-05", "2020-01-01", "2020-01-02", "2020-01-03"]
    series = as_series(["x"], np.array([[5.0], [1.0], [np.nan], [3.0]]), times)
    np.testing.assert_array_equal(series.values[:, 0], [1, np.nan, 3, np.nan, 5])
    assert series.notices == [
        "the rows were not in the order of their times and were sorted",
        "1 of 5 steps (a day each) have no row",
    ]


def test_a_few_rows_of_the_same_step_are_averaged_and_many_refused():
    times = [str(i) for i in range(200)] + ["7"]
    series = as_series(["x"], np.r_[np.arange(200.0), 9][:, None], times)
    assert series.values[7, 0] == 8
    assert "1 row falls on a step that has one already; their mean was taken" in series.notices
    with pytest.raises(InputError, match=r"^times\[3\]: expected times that differ, got 7 again; add up"):
        as_series(["x"], np.zeros((4, 1)), ["7", "8", "9", "7"])


def test_times_far_apart_are_refused():
    with pytest.raises(InputError, match="expected times at steps of one length"):
        as_series(["x"], np.zeros((3, 1)), ["0", "1", "1000000"])


FORMS = [
    "%Y-%m-%d", "%Y/%m/%d", "%Y/%-m/%-d", "%Y.%m.%d", "%Y-%m-%d 00:00", "%Y-%m-%d 12:00:00", "%Y-%m-%dT00:00:00Z",
    "%Y-%m-%dT23:59:59z",
    "%Y-%m-%d 00:00:00+00", "%Y-%m-%d 00:00:00+00:00", "%Y-%m-%d 00:00:00 UTC", "%Y-%m-%d 00:00:00+0530",
    "%Y-%m-%d 00:00:00.0000000 +05:30", "%Y-%m-%dT00:00:00.000Z", "%Y-%m-%dT06:30:00.125-03", "%Y%m%dT000000Z",
    "%Y%m%d", "%Y-%m", "%Y/%-m", "%Y %b", "%YM%m", "%Y%m",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_months_are_months_whatever_hour_zone_and_form_and_go_on_in_it(form):
    series = series_of(each(form, MONTHS))
    assert (len(series), series.grid.describe()) == (120, "a month")
    assert following(series) == each(form, NEXT)


@pytest.mark.parametrize(
    ("months", "name"), [(1, "a month"), (3, "a quarter"), (6, "a half year"), (12, "a year"), (120, "a decade")]
)
@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%dT00:00:00Z", "%Y-%m-%d 12:00:00+02:00"])
def test_periods_of_months_are_found(months, name, form):
    moments = [datetime(1500 + i * months // 12, i * months % 12 + 1, 1) for i in range(40)]
    series = series_of(each(form, moments[:-3]))
    assert (len(series), series.grid.describe(), series.notices) == (37, name, [])
    assert following(series) == each(form, moments[-3:])


def test_local_midnights_are_months_and_days_in_a_zone_with_summer_time():
    year = [datetime(2020, month, 1) for month in range(1, 13)]
    local = [in_berlin(moment).isoformat() for moment in MONTHS]
    assert following(series_of(local), 12) == [in_berlin(moment).isoformat() for moment in year]
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+00:00", "%Y-%m-%d %H:%M:%S"):
        greenwich = each(form, [in_berlin(moment).astimezone(timezone.utc) for moment in MONTHS])
        series = series_of(greenwich)
        assert (len(series), series.grid.describe(), series.notices) == (120, "a month", [])
        assert series.grid.label(0) == greenwich[0]
        assert following(series, 12) == each(form, [in_berlin(moment).astimezone(timezone.utc) for moment in year])
    days = [in_berlin(datetime(2018, 1, 1) + timedelta(days=day)).isoformat() for day in range(830)]
    series = series_of(days[:800])
    assert (len(series), series.grid.describe(), series.notices) == (800, "a day", [])
    assert following(series, 30)[:18] == days[800:818]
    assert following(series, 30)[-1] == days[-1]


def test_hours_go_on_through_the_hour_that_clocks_repeat():
    greenwich = [datetime(2019, 1, 1, tzinfo=timezone.utc) + timedelta(hours=hour) for hour in range(8760)]
    local = [
        moment.astimezone(
            timezone(timedelta(hours=2 if datetime(2019, 3, 31, 1) <= naive < datetime(2019, 10, 27, 1) else 1))
        )
        for moment in greenwich
        for naive in [moment.replace(tzinfo=None)]
    ]
    series = series_of([moment.isoformat() for moment in local])
    later = series_of(["2020-01-01T01:00:00", "2020-01-01T02:00:00"], series.grid)  # by the same clock
    assert (series.grid.index_of(later.grid), following(later, 1)) == (8760, ["2020-01-01T03:00:00+01:00"])
    assert (len(series), series.grid.describe(), series.notices) == (8760, "an hour", [])
    assert following(series, 1) == ["2020-01-01T01:00:00+01:00"]


def test_a_day_of_another_zone_stays_that_day():
    series = series_of([f"2024-03-{day:02}T00:00:00+05:30" for day in range(1, 21)])
    assert following(series, 1) == ["2024-03-21T00:00:00+05:30"]


def first_business_day(month):
    return month + timedelta(days=(0, 0, 0, 0, 0, 2, 1)[month.weekday()])


def third_friday(month):
    return month + timedelta(days=(4 - month.weekday()) % 7 + 14)


@pytest.mark.parametrize(
    ("of_month", "later"),
    [
        (last_business_day, ["2020-01-31", "2020-02-28", "2020-03-31"]),
        (first_business_day, ["2020-01-01", "2020-02-03", "2020-03-02"]),
        (third_friday, ["2020-01-18", "2020-02-18", "2020-03-18"]),
    ],
)
def test_one_row_a_month_makes_months_on_the_usual_day_and_it_is_said(of_month, later):
    days = [of_month(month) for month in MONTHS]
    series = series_of(each("%Y-%m-%d", days))
    assert (len(series), series.grid.describe()) == (120, "a month")
    assert following(series) == later
    usual = sum(day.day == datetime.fromisoformat(series.grid.label(i)).day for i, day in enumerate(days))
    place = f"the usual time of each month, such as {series.grid.label(0)}"
    assert series.notices == [f"{120 - usual} of 120 times were moved to {place}"] * (usual < 120)
    noon = series_of(each("%Y-%m-%dT12:00:00Z", days))
    assert following(noon) == [f"{day}T12:00:00Z" for day in later]
    assert series_of(each("%Y-%m-%d", days[2::3])).grid.describe() == "a quarter"
    assert series_of(each("%Y-%m-%d", days[11::12])).grid.describe() == "a year"
    gaps = series_of(each("%Y-%m-%d", [day for number, day in enumerate(days) if number % 7 != 3]))
    assert (len(gaps), gaps.grid.describe()) == (120, "a month")


def test_a_single_row_off_its_day_counts_for_its_month():
    days = each("%Y-%m-%d", MONTHS)
    days[26] = "2012-03-02"
    series = series_of(days)
    assert np.isfinite(series.values).all()
    assert following(series) == ["2020-01-01", "2020-02-01", "2020-03-01"]
    said = "1 of 120 times was moved to the usual time of each month, such as 2010-01-01"
    assert series.notices == [said]


@pytest.mark.parametrize(
    "texts",
    [
        [m.replace(day=day).strftime("%Y-%m-%d") for m in MONTHS for day in (1, 15)],
        np.cumsum(np.random.default_rng(0).integers(1, 2000, 300)).astype(str).tolist(),
        [f"{START + timedelta(days=int(d)):%Y-%m-%d}" for d in np.random.default_rng(0).integers(1, 9, 300).cumsum()],
    ],
)  # fmt: skip
def test_times_at_no_steps_are_refused_with_the_way_out(texts):
    way_out = r"without times \(--time none\) the rows are the steps$"
    with pytest.raises(InputError, match=rf"^times: expected times at steps of one length, .*; {way_out}") as refused:
        series_of(texts)
    assert "\n" not in str(refused.value)


def test_a_month_with_two_rows_is_refused_and_shown():
    days = each("%Y-%m-%d", MONTHS)
    days[26] = "2012-02-29"
    for clock in ("", " 00:00:00", "T12:00:00Z"):
        with pytest.raises(InputError, match=r"such as '2012-02-01[^,]*', '2012-02-29[^,]*', '2012-04-01[^,]*'; "):
            series_of([day + clock for day in days])


def test_one_odd_hour_is_no_summer_time():
    noons = each("%Y-%m-%d 12:00", MONTHS)
    noons[7] = noons[7].replace("12:00", "13:00")
    series = series_of(noons)
    assert following(series, 1) == ["2020-01-01 12:00"]
    assert series.notices[0].startswith("1 of 120 times was moved to the usual time of each month")


def test_what_is_moved_is_said():
    integers = series_of([str(10 * i + (i % 7 == 3)) for i in range(120)])
    assert integers.notices == ["17 times lie between the steps and were moved to the nearest"]
    assert following(integers, 1) == ["1200"]
    assert following(series_of(["1", "10", "20", "30"])) == ["40", "50", "60"]  # the first is the one that is off
    months = series_of(["2010-01", "2010-04", "2010-07", "2010-11"])
    said = "1 of 4 times was moved to the usual time of each quarter, such as 2010-01"
    assert months.notices == [said]
    draw = random.Random(0)
    jitter = [START + timedelta(seconds=0.25 * i + draw.gauss(0, 0.003)) for i in range(1000)]
    series = series_of([moment.isoformat(" ", "milliseconds") for moment in jitter])
    assert (len(series), series.grid.describe()) == (1000, "0.25 seconds")
    assert "times lie between the steps" in series.notices[-1]


def test_serial_days_and_unix_time_of_months_are_recognized_and_said():
    serial = [str((moment - datetime(1899, 12, 30)).days) for moment in MONTHS]
    series = series_of(serial)
    assert (len(series), following(series)) == (120, ["43831", "43862", "43891"])
    assert series.notices == ["the times were read as serial days of a spreadsheet: 40179 is 2010-01-01"]
    assert following(series_of([f"{day}.0" for day in serial]), 1) == ["43831.0"]
    assert following(series_of([f"{day}.5" for day in serial]), 1) == ["43831.5"]
    for power in (0, 3, 6, 9):
        seconds = [str(int((moment - datetime(1970, 1, 1)).total_seconds()) * 10**power) for moment in MONTHS + NEXT]
        series = series_of(seconds[:120])
        assert (len(series), following(series)) == (120, seconds[120:])
        assert series.notices == [f"the times were read as Unix time: {seconds[0]} is 2010-01-01"]
    berlin = [str(int(in_berlin(moment).timestamp())) for moment in MONTHS + NEXT]
    assert following(series_of(berlin[:120])) == berlin[120:]
    days = [str(int(in_berlin(datetime(2018, 1, 1) + timedelta(days=day)).timestamp())) for day in range(803)]
    assert (series_of(days[:800]).grid.describe(), following(series_of(days[:800]))) == ("a day", days[800:])
    before = [moment.replace(year=moment.year - 50) for moment in MONTHS + NEXT]
    floats = [f"{(moment - datetime(1970, 1, 1)).total_seconds()}" for moment in before]
    assert (series_of(floats[:120]).grid.describe(), following(series_of(floats[:120]))) == ("a month", floats[120:])


@pytest.mark.parametrize(
    ("texts", "name", "step", "later"),
    [
        (each("%Y%m", MONTHS), "YYYYMM: 201001 is 2010-01-01", "a month", "202001"),
        (each("%Y.%m", MONTHS), "YYYY.MM: 2010.01 is 2010-01-01", "a month", "2020.01"),
        (each("%Y%m.0", MONTHS), "YYYYMM: 201001.0 is 2010-01-01", "a month", "202001.0"),
        ([f"{1990 + i // 4}.{i % 4 + 1}" for i in range(40)], "YYYY.Q: 1990.1 is 1990-01-01", "a quarter", "2000.1"),
        ([f"{1990 + i // 4}{i % 4 + 1}" for i in range(40)], "YYYYQ: 19901 is 1990-01-01", "a quarter", "20001"),
        ([f"{1990 + i // 2}{i % 2 + 1}" for i in range(40)], "YYYYH: 19901 is 1990-01-01", "a half year", "20101"),
        ([f"201001{1 + i // 24:02}{i % 24:02}" for i in range(240)], "YYYYMMDDHH: 2010010100 is 2010-01-01", "an hour",
         "2010011100"),
        ([f"{2010 + i // 365}{i % 365 + 1:03}" for i in range(400)], "YYYYDDD: 2010001 is 2010-01-01", "a day",
         "2011036"),
        ([f"{2010 + i // 52}{i % 52 + 1:02}" for i in range(104)], "YYYYWW: 201001 is 2010-01-04", "a week", "201201"),
    ],
)  # fmt: skip
def test_digits_alone_are_read_as_what_they_count_and_it_is_said(texts, name, step, later):
    series = series_of(texts)
    assert (len(series), series.grid.describe(), following(series, 1)) == (len(texts), step, [later])
    assert series.notices == [f"the times were read as {name}"]


def test_digits_that_count_something_else_stay_numbers():
    for first, form, clearer in ((201001, "YYYYWW", "YYYY-Www"), (2010001, "YYYYDDD", "YYYY-MM-DD")):
        series = series_of([str(first + i) for i in range(50)])
        said = f"the times were read as numbers; if they are {form}, write them as {clearer}"
        assert (series.grid.unit, series.notices) == ("step", [said])
    said = "if they are YYMM, write them as YYYY-MM"
    assert series_of(each("%y%m", MONTHS)).notices[0] == f"the times were read as numbers; {said}"
    with pytest.raises(InputError, match=r", got 120 rows over .*; if they are MMYYYY, write them as YYYY-MM$"):
        series_of(each("%m%Y", MONTHS))
    assert series_of([str(year) for year in range(2001, 2013)]).notices == []
    assert following(series_of([f"{i:04}" for i in range(90, 110)]), 1) == ["0110"]
    with pytest.raises(InputError, match=r"^times\[50\]: expected a time written as the others, YYYYMM, got '201413'$"):
        series_of([*each("%Y%m", MONTHS[:50]), "201413"])


def seconds(places, rate, digits):
    """Write times at so many a second, cut to some digits."""
    return [f"2024-01-01 00:{i // rate // 60:02}:{i * 10**6 // rate / 1e6 % 60:09.6f}"[: 20 + digits] for i in places]


@pytest.mark.parametrize(
    ("texts", "step", "later"),
    [
        (seconds(range(480), 4, 2), "0.25 seconds", "2024-01-01 00:02:00.00"),
        ([f"{time}Z" for time in seconds(range(3000), 100, 2)], "0.01 seconds", "2024-01-01 00:00:30.00Z"),
        ([(START + timedelta(seconds=i / 4)).isoformat() for i in range(9)], "0.25 seconds",
         "2024-01-01T00:00:02.250000"),
        ([time.removesuffix(".0") for time in seconds(range(9), 2, 1)], "0.5 seconds", "2024-01-01 00:00:04.5"),
        (seconds(range(900), 30, 3), "0.0333333 seconds", "2024-01-01 00:00:30.000"),
        (seconds(range(900), 60, 2), "0.0166667 seconds", "2024-01-01 00:00:15.00"),
        ([f"2024-01-01 00:00:{i * 10**11 // 2997 / 1e9:012.9f}" for i in range(600)], "0.0333667 seconds",
         "2024-01-01 00:00:20.020020020"),
        ([f"00{i / 4:.2f}"[-5:] for i in range(9)], "0.25", "2.25"),
        ([repr(i * 0.1) for i in range(50)], "0.1", "5.0"),
    ],
)  # fmt: skip
def test_fractions_of_a_second_are_kept(texts, step, later):
    series = series_of(texts)
    assert (len(series), series.grid.describe(), series.notices) == (len(texts), step, [])
    assert following(series, 1) == [later]


def test_times_of_numpy_are_read():
    times = np.arange("2010-01", "2020-01", dtype="datetime64[M]")
    assert following(as_series(["x"], np.zeros((120, 1)), times), 1) == ["2020-01"]
    with pytest.raises(InputError, match=r"^times: expected one for each of 5 steps, got 120$"):
        as_series(["x"], np.zeros((5, 1)), times)


def test_a_form_from_a_strangers_file_is_checked():
    assert all(is_form(each) for each in ("%Y-%m-%d %H:%M:%S%.3f%:z", "%n", "%3s", "%YQ%q"))
    for form in ("", "%", "%Y\n", "%x", "%Y" * 100):
        with pytest.raises(InputError, match=r"^config\.json: expected the form and the zone of a series' times"):
            TimeGrid("month", form=form).check("config.json")


@given(st.text("0123456789-+/:.TZ QWe", max_size=30), st.text("0123456789-+/:.TZ QWe", max_size=30))
def test_whatever_is_read_is_written_or_refused(first, second):
    try:
        series = series_of([first, second])
        assert series.grid.label(len(series) - 1)
        assert series.grid.label(1)
    except InputError:
        pass
