"""Times of a file that goes on from a model's own, in the same form, another, or another zone."""

from datetime import datetime, timezone

from elman.runtime._forecaster.calendar import TimeGrid
from tests.runtime.moments import MONTHS, NEXT, each, following, in_berlin, last_business_day, series_of


def test_a_known_grid_takes_times_in_other_forms_and_answers_in_theirs():
    known = series_of(each("%Y-%m-%d", MONTHS)).grid
    for form in ("%Y/%m/%d", "%Y-%m", "%Y%m", "%Y-%m-%d 00:00:00Z"):
        later = series_of(each(form, NEXT[:2]), known)
        assert (known.index_of(later.grid), following(later, 1)) == (120, each(form, NEXT[2:]))
        clock = series_of(each("%Y-%m-%dT00:00:00.000Z", MONTHS)).grid
        later = series_of(each(form, NEXT[:2]), clock)
        assert (clock.index_of(later.grid), following(later, 1), later.notices[1:]) == (120, each(form, NEXT[2:]), [])
    later = series_of(each("%Y-%m-%dT00:00:00+05:30", NEXT[:2]), clock)  # midnight there is still the month before here
    assert (clock.index_of(later.grid), following(later, 1)) == (120, ["2020-03-01T00:00:00+05:30"])
    later = series_of([str(int((moment - datetime(1970, 1, 1)).total_seconds())) for moment in NEXT[:2]], clock)
    assert (clock.index_of(later.grid), following(later, 1)) == (120, ["1583020800"])
    business = series_of(["2020-01-31", "2020-02-28"], series_of(each("%Y-%m-%d", map(last_business_day, MONTHS))).grid)
    assert following(business, 1) == ["2020-03-31"]
    days = series_of(["2024-01-01T00:00:00+05:30", "2024-01-02T00:00:00+05:30"]).grid
    later = series_of(["2024-01-02T18:30:00Z"], days)
    assert (days.index_of(later.grid), following(later, 1)) == (2, ["2024-01-03T18:30:00Z"])
    hours = series_of(["2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z"]).grid
    later = series_of(["2024-01-01T07:30:00+05:30", "2024-01-01T08:30:00+05:30"], hours)
    assert (hours.index_of(later.grid), following(later, 1)) == (2, ["2024-01-01T09:30:00+05:30"])
    days = TimeGrid("second", 86400, 66600, "UTC datetime")  # as a model of before zones were kept
    assert days.label(0) == "1970-01-01 18:30:00Z"
    later = series_of(["1970-01-04T00:00:00+05:30"], days)
    assert (days.index_of(later.grid), following(later, 1)) == (2, ["1970-01-05T00:00:00+05:30"])
    integers = TimeGrid("step", 100, 200001)  # as a model of before YYYYMM was read
    later = series_of(["201001", "201101"], integers)
    assert (integers.index_of(later.grid), following(later, 1)) == (10, ["201201"])
    assert later.notices == []


def test_later_times_are_placed_by_the_same_clock():
    moments = [in_berlin(datetime(2010 + i // 12, i % 12 + 1, 1)) for i in range(135)]
    for form in ("%Y-%m-%d %H:%M:%S%z", "%Y-%m-%dT%H:%M:%SZ"):
        texts = each(form, moments if "z" in form else [moment.astimezone(timezone.utc) for moment in moments])
        known = series_of(texts[:120]).grid
        later = series_of(texts[120:123], known)
        assert (known.index_of(later.grid), following(later, 12), later.notices) == (120, texts[123:], [])
