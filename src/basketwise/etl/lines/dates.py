"""Dates and times as shops write them, and what follows from them: week, weekday, hour."""

from __future__ import annotations

import polars as pl

from basketwise.etl.lines.date_formats import (
    WHOLE,
    YEARS,
    digits_of,
    format_of_numbers,
    parse_dates,
)
from basketwise.etl.lines.missing import is_given
from basketwise.etl.lines.rules import Rules
from basketwise.schema import SHOP_DATE, SHOP_HOUR, SHOP_WEEK, SHOP_WEEKDAY

NO_DATE = "no date"
"""What cleaning sees where something is given as a date that is none, whatever it was."""

_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            ("sun", "sunday"),
            ("mon", "monday"),
            ("tue", "tuesday"),
            ("wed", "wednesday"),
            ("thu", "thursday"),
            ("fri", "friday"),
            ("sat", "saturday"),
        ),
        start=1,
    )
    for name in names
}


def with_times(raw: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Add what follows from SHOP_DATE and is not given itself.

    Parameters
    ----------
    raw : DataFrame
        Lines as delivered, columns under their names in the schema.
    rules : Rules
        How text in SHOP_DATE is written (``date_format``; empty if it is a whole number, YYYYMMDD),
        what a week is, and what stands for a missing date.

    Returns
    -------
    DataFrame
        SHOP_DATE as a whole number (YYYYMMDD, Int32; null where it is missing) if it was a date;
        SHOP_WEEK, SHOP_WEEKDAY and, from times of day, SHOP_HOUR (Int32) where they were absent.
        Where some SHOP_DATE cannot be read, it is text, and :data:`NO_DATE` on these lines.
    """
    date_format, week = rules.date_format, rules.week
    given = raw[SHOP_DATE]
    absent = [name for name in (SHOP_WEEK, SHOP_WEEKDAY, SHOP_HOUR) if name not in raw.columns]
    if not {SHOP_WEEK, SHOP_WEEKDAY}.intersection(absent) and _are_whole(given, rules):
        return raw
    times, timed = _times(given, date_format)
    if times is None:
        return raw
    made = {SHOP_WEEK: weeks(times, week), SHOP_WEEKDAY: times.dt.weekday() % 7 + 1}
    if timed:
        made[SHOP_HOUR] = times.dt.hour()
    date = times.dt.year().cast(pl.Int32) * 10_000 + times.dt.month().cast(pl.Int32) * 100
    dates = (date + times.dt.day()).alias(SHOP_DATE)
    if times.null_count() > given.null_count():
        garbled = times.is_null() & is_given(given, rules.missing)
        if garbled.any():
            dates = dates.cast(pl.String).set(garbled, NO_DATE)
    columns = [dates]
    columns += [made[name].cast(pl.Int32).alias(name) for name in absent if name in made]
    return raw.with_columns(columns)


def weeks(times: pl.Series, week: str) -> pl.Series:
    """Return the weeks of dates: YYYYWW, Int32.

    ``week`` is ``iso`` (weeks start on Monday; the year is the week's own), or the day on which
    fiscal years start (``MM-DD``): week 1 starts on that day, the year is the one it started in.

    Examples
    --------
    >>> from datetime import date
    >>> days = pl.Series([date(2024, 12, 30), date(2025, 3, 31), date(2025, 4, 1)])
    >>> weeks(days, "iso").to_list(), weeks(days, "04-01").to_list()
    ([202501, 202514, 202514], [202440, 202453, 202501])
    """
    if week == "iso":
        return times.dt.iso_year().cast(pl.Int32) * 100 + times.dt.week()
    month, day = map(int, week.split("-"))
    dates = times.cast(pl.Date)
    year = dates.dt.year().cast(pl.Int32)
    before = (dates.dt.month().cast(pl.Int32) * 100 + dates.dt.day()) < month * 100 + day
    year = year - before.cast(pl.Int32)
    starts = year.to_frame("year").select(pl.date("year", month, day)).to_series()
    days = (dates - starts).dt.total_days()
    return (year * 100 + (days // 7 + 1)).cast(pl.Int32)


def hours(text: pl.Series) -> pl.Series:
    """Read hours of the day from times: ``13:30``, ``1:30 pm``, ``1330``; Float64.

    Examples
    --------
    >>> hours(pl.Series(["13:30", "1:30 PM", "1330", "7", "12 am", "x"])).to_list()
    [13.0, 13.0, 13.0, 7.0, 0.0, None]
    """
    parts = (
        text.str.strip_chars()
        .str.to_lowercase()
        .str.extract_groups(
            r"^([0-9]{1,2}?)(?::?([0-9]{2}))?(?::[0-9]{2}(?:\.[0-9]+)?)?\s*(am|pm|a\.m\.|p\.m\.)?$"
        )
    )
    hour = parts.struct.field("1").cast(pl.Float64, strict=False)
    half = parts.struct.field("3")
    shifted = pl.select(
        pl.when(half.is_null())
        .then(hour)
        .when(half.str.starts_with("p"))
        .then(hour % 12 + 12)
        .otherwise(hour % 12)
    ).to_series()
    return shifted.set((shifted > 23).fill_null(False), None).alias(text.name)


def weekdays(text: pl.Series) -> pl.Series:
    """Read English names of weekdays, 1 for Sunday; Float64, null for what is none."""
    return (
        text.str.strip_chars()
        .str.to_lowercase()
        .replace_strict(
            list(_WEEKDAYS), list(_WEEKDAYS.values()), default=None, return_dtype=pl.Float64
        )
    )


def _times(given: pl.Series, date_format: str) -> tuple[pl.Series | None, bool]:
    """Read SHOP_DATE of any type: the times, and whether they have a time of day."""
    if given.dtype == pl.Date:
        return _in_years(given).cast(pl.Datetime("us")), False
    if isinstance(given.dtype, pl.Datetime):
        # The wall clock counts, whatever the zone is.
        return _in_years(given.dt.replace_time_zone(None)).cast(pl.Datetime("us")), True
    if given.dtype.is_integer() or given.dtype.is_float():
        given, date_format = digits_of(given), format_of_numbers(date_format)
    if given.dtype != pl.String:
        return None, False
    # Where no look has told another format, text is what a number would be.
    date_format = date_format or WHOLE
    timed = any(part in date_format for part in ("%H", "%I", "epoch"))
    return parse_dates(given, date_format), timed


def _in_years(times: pl.Series) -> pl.Series:
    """Take away what is no date as text either: 1 January 1900 or 9999 stand for none."""
    return times.set(~times.dt.year().is_between(*YEARS).fill_null(True), None)


def _are_whole(given: pl.Series, rules: Rules) -> bool:
    """Whether all dates are whole numbers, YYYYMMDD, which need no change."""
    dtype, date_format = given.dtype, rules.date_format
    if not dtype.is_integer() and dtype != pl.String:
        return False
    if (format_of_numbers(date_format) if dtype.is_integer() else date_format or WHOLE) != WHOLE:
        return False
    # Lines of a basket have one date, so most are told apart by the one before.
    values = given.filter(given.ne_missing(given.shift())).unique()
    times, _ = _times(values, WHOLE)
    return times is not None and not (times.is_null() & is_given(values, rules.missing)).any()
