"""Series of weekdays, of the hours of a market, and of business months."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from elman._errors import InputError
from elman.runtime._forecaster.calendar import TimeGrid
from tests.runtime.moments import MONTHS, each, following, in_berlin, last_business_day, series_of

DAYS = [datetime(2019, 1, 1) + timedelta(days=day) for day in range(203)]
WEEKDAYS = [day for day in DAYS if day.weekday() < 5]
OPEN = [day + timedelta(hours=hour, minutes=30) for day in WEEKDAYS for hour in range(9, 16)]
ISO, CLOCK = "%Y-%m-%d", "%Y-%m-%d %H:%M"


@pytest.mark.parametrize("form", [ISO, "%m/%d/%Y", "%Y%m%d", "%Y-%m-%d 16:00:00-05:00"])
def test_weekdays_are_followed_by_weekdays(form):
    texts = each(form, WEEKDAYS)
    series = series_of(texts[:-6])  # which ends on a Thursday
    assert (len(series), series.grid.describe(), following(series, 6)) == (139, "a business day", texts[-6:])
    assert series.grid.cycles() == [5, 5 * 365.25 / 7]


def test_holidays_are_missing_rows():
    texts = each(ISO, WEEKDAYS)
    series = series_of([text for number, text in enumerate(texts) if number % 30 != 7])
    assert len(series) == len(WEEKDAYS)
    assert series.notices == ["5 of 145 steps (a business day each) have no row"]


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (range(6), "a day of Mon-Sat"),
        ((6, 0, 1, 2, 3), "a day of Mon, Tue, Wed, Thu, Sun"),
        ((0, 3), "a day of Mon, Thu"),
    ],
)
def test_other_days_of_the_week_are_found_too(days, name):
    texts = each(ISO, [day for day in DAYS if day.weekday() in days])
    series = series_of(texts[:-4])
    assert (series.grid.describe(), following(series, 4), series.notices) == (name, texts[-4:], [])


def test_schools_have_long_holidays():
    term = [day for day in WEEKDAYS if day.month not in (2, 5)]
    series = series_of(each(ISO, term))
    assert (len(series), series.grid.describe(), following(series, 1)) == (145, "a business day", ["2019-07-23"])


def test_days_and_hours_with_gaps_stay_such():
    for share in (0.3, 0.5, 0.8):
        for weeks in (2, 3, 9, 20):
            kept = np.random.default_rng(weeks).random(168 * weeks) < share
            hours = [DAYS[0] + timedelta(hours=int(hour)) for hour in np.flatnonzero(kept)]
            assert series_of(each(CLOCK, hours)).grid.describe() == "an hour"
    some = [day for number, day in enumerate(DAYS) if number % 9 != 4]
    assert series_of(each(ISO, some)).grid.describe() == "a day"
    assert series_of(each(ISO, WEEKDAYS[:9])).grid.describe() == "a day"  # one week end tells little


def test_one_row_on_a_saturday_does_not_make_it_a_weekday():
    series = series_of(each(ISO, sorted([*WEEKDAYS, datetime(2019, 3, 2)])))
    assert (len(series), series.grid.describe()) == (145, "a business day")
    assert series.notices[-1] == "1 time lies between the steps and was moved to the nearest"


def test_the_hours_of_a_market_follow_one_another():
    texts = each(CLOCK, OPEN)
    series = series_of(texts[:-9])
    assert (len(series), series.grid.describe()) == (1006, "an hour, 35 a week of Mon-Fri")
    assert following(series, 9) == texts[-9:]
    assert series.grid.cycles()[:2] == [7, 35]
    twice = [day + timedelta(hours=hour) for day in DAYS for hour in (8, 18)]
    assert series_of(each(CLOCK, twice)).grid.describe() == "a time of the day, 14 a week of Mon-Sun"


def test_an_hour_that_is_missing_each_night_is_missing():
    hours = [day + timedelta(hours=hour) for day in DAYS[:30] for hour in range(24) if hour != 3]
    assert series_of(each(CLOCK, hours)).grid.describe() == "an hour"


def test_a_zone_with_summer_time_keeps_the_hours_of_a_market():
    local = [in_berlin(moment).isoformat() for moment in OPEN]
    series = series_of(local[:-9])
    assert (len(series), following(series, 9)) == (1006, local[-9:])
    greenwich = [in_berlin(moment).astimezone(timezone.utc).isoformat() for moment in OPEN]
    assert (
        series_of(greenwich).grid.describe() == "an hour, 40 a week of Mon-Fri"
    )  # an hour more, of both times of year


def test_later_rows_are_placed_among_weekdays():
    known = series_of(each(ISO, WEEKDAYS[:-6])).grid
    later = series_of(each("%d.%m.%Y", WEEKDAYS[-6:-4]), known)
    assert (known.index_of(later.grid), following(later, 2)) == (139, each("%d.%m.%Y", WEEKDAYS[-4:-2]))
    assert known.index_of(series_of(["2019-07-20"], known).grid) is None  # a Saturday


def test_serial_days_of_weekdays_are_recognized():
    serial = [str((day - datetime(1899, 12, 30)).days) for day in WEEKDAYS]
    series = series_of(serial[:-6])
    assert (series.grid.describe(), following(series, 6)) == ("a business day", serial[-6:])
    assert series.notices == ["the times were read as serial days of a spreadsheet: 43466 is 2019-01-01"]


def test_last_business_days_with_a_holiday_are_business_months_still():
    days = [last_business_day(month) for month in MONTHS]
    days[3] -= timedelta(days=1)
    series = series_of(each(ISO, days))
    assert following(series) == ["2020-01-31", "2020-02-28", "2020-03-31"]
    assert series.notices == ["1 of 120 times was moved to the usual time of each month, such as 2010-01-29"]
    quarters = series_of(each(ISO, days[2::3]))
    assert (quarters.grid.describe(), following(quarters, 2)) == ("a quarter", ["2020-03-31", "2020-06-30"])


@pytest.mark.parametrize(
    "grid",
    [
        TimeGrid("week", form="%Y-%m-%d"),
        TimeGrid("week", form="%Y-%m-%d", week=[86400, 0]),
        TimeGrid("week", form="%Y-%m-%d", week=[0, 7 * 86400]),
        TimeGrid("second", form="%Y-%m-%d", week=[0]),
    ],
)
def test_a_week_from_a_strangers_file_is_checked(grid):
    with pytest.raises(InputError, match=r"^config\.json: expected the times of a week in order, got others$"):
        grid.check("config.json")
