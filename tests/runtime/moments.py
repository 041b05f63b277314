"""Moments written in many forms, as the times of a series."""

from datetime import datetime, timedelta, timezone

import numpy as np

from elman.runtime._forecaster.series import as_series

MONTHS = [datetime(2010 + i // 12, i % 12 + 1, 1) for i in range(120)]
NEXT = [datetime(2020, month, 1) for month in (1, 2, 3)]


def series_of(texts, known=None):
    return as_series(["x"], np.arange(len(texts), dtype=float)[:, None], list(texts), known=known)


def following(series, count=3):
    return [series.grid.label(len(series) + ahead) for ahead in range(count)]


def each(form, moments):
    """Write moments in a form of strftime, %-m and %-d included, which not every platform has."""
    return [m.strftime(form.replace("%-m", str(m.month)).replace("%-d", str(m.day))) for m in moments]


def in_berlin(moment):
    """Give a moment the zone of a place that puts its clocks forward, from the last Sunday of March to October's."""
    begin, end = (datetime(moment.year, month, 31, 2) for month in (3, 10))
    begin, end = (day - timedelta(days=(day.weekday() + 1) % 7) for day in (begin, end))
    return moment.replace(tzinfo=timezone(timedelta(hours=2 if begin <= moment < end else 1)))


def last_business_day(month):
    day = (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return day - timedelta(days=max(0, day.weekday() - 4))
