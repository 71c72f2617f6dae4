"""Dates and times as shops write them, and what follows from them: week, weekday, hour."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product

import polars as pl

from basketwise.schema import SHOP_DATE, SHOP_HOUR, SHOP_WEEK, SHOP_WEEKDAY

_DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d-%m-%y",
    "%m-%d-%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%b %d %Y",
)
_TIMES = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S%.f", "%I:%M %p", "%I:%M:%S %p")
EPOCH_SECONDS, EPOCH_MILLISECONDS = "epoch seconds", "epoch milliseconds"

_WHOLE = "%Y%m%d"

FORMATS: tuple[str, ...] = (
    _WHOLE,
    *(
        f"{date}{between}{time}"
        for date, time in product(_DATES, _TIMES)
        for between in ([""] if not time else [" ", "T"] if date == "%Y-%m-%d" else [" ", ", "])
    ),
    "%Y%m%d %H:%M",
    "%Y%m%d%H%M",
    "%Y%m%d%H%M%S",
    "%Y%m%dT%H%M%S",
    EPOCH_SECONDS,
    EPOCH_MILLISECONDS,
)
"""The formats that are tried, in the notation of ``strptime``."""

AT_ONCE = 32
"""Formats are tried so many at a time: a query for each would take longer than it parses."""

_TEXT, _CLOCK = "text", "clock"
_YEARS = (1970, 2100)
_ZONE = r"(:[0-9]{2}(?:\.[0-9]+)?)\s*(?:Z|UTC|[+-][0-9]{2}:?[0-9]{2})$"
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


def parse_dates(text: pl.Series, date_format: str) -> pl.Series:
    """Read dates and times.

    Parameters
    ----------
    text : Series
        Text values. An offset from UTC is dropped: what counts is the time on the shop's clock.
    date_format : str
        One of :data:`FORMATS`, or any other of ``strptime``.

    Returns
    -------
    Series
        Datetime; null where a value does not fit, or is of a year before 1970 or after 2100.

    Examples
    --------
    >>> parse_dates(pl.Series(["6/1/2025 8:26", "x"]), "%d/%m/%Y %H:%M").to_list()
    [datetime.datetime(2025, 1, 6, 8, 26), None]
    """
    (times,) = _parsed(text, (date_format,))
    return times.alias(text.name)


def _parsed(text: pl.Series, formats: tuple[str, ...]) -> list[pl.Series]:
    """Read dates and times in each of some formats, in one query."""
    stripped = text.rename(_TEXT).to_frame().select(pl.col(_TEXT).str.strip_chars())
    clock = stripped.with_columns(pl.col(_TEXT).str.replace(_ZONE, "${1}").alias(_CLOCK))
    return clock.select(
        _times_of(form).alias(str(number)) for number, form in enumerate(formats)
    ).get_columns()


def _times_of(date_format: str) -> pl.Expr:
    if date_format in (EPOCH_SECONDS, EPOCH_MILLISECONDS):
        digits = 10 if date_format == EPOCH_SECONDS else 13
        whole = pl.col(_TEXT).str.contains(rf"^[0-9]{{{digits}}}$")
        numbers = pl.when(whole).then(pl.col(_TEXT).cast(pl.Int64, strict=False))
        times = (numbers * (1_000_000 if digits == 10 else 1_000)).cast(pl.Datetime("us"))
    else:
        times = pl.col(_CLOCK).str.to_datetime(date_format, strict=False, time_unit="us")
    return pl.when(times.dt.year().is_between(*_YEARS)).then(times)


def _readings(text: pl.Series, formats: tuple[str, ...]) -> Iterator[tuple[str, pl.Series]]:
    """Read dates and times in one format after the other: the first, then some at a time."""
    ends = [1, *range(1 + AT_ONCE, len(formats), AT_ONCE), len(formats)]
    for start, end in pairwise([0, *ends]):
        some = formats[start:end]
        yield from zip(some, _parsed(text, some), strict=True)


def fitting_formats(text: pl.Series, among: tuple[str, ...] = FORMATS) -> tuple[str, ...]:
    """Return the formats that every value fits; nulls and blanks do not count.

    Examples
    --------
    >>> fitting_formats(pl.Series(["01/02/2025", "03/02/2025"]))
    ('%d/%m/%Y', '%m/%d/%Y')
    """
    values = text.str.strip_chars().drop_nulls().unique()
    values = values.filter(values != "")
    if values.is_empty():
        return among
    if among[:1] == (_WHOLE,) and not parse_dates(values, _WHOLE).null_count():
        # Eight digits fit no other format.
        return (_WHOLE,)
    # Most formats are ruled out by a few values.
    for some in (values.head(5), values):
        readings = _readings(some, among)
        among = tuple(form for form, times in readings if not times.null_count())
    return among


def readable(text: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    """Return the values that some format fits; all of them if none fits any."""
    fits = pl.repeat(False, len(text), eager=True)
    for _, times in _readings(text, formats):
        fits |= times.is_not_null()
        if fits.all():
            return text
    return text.filter(fits) if fits.any() else text


def tried_formats(date_format: str) -> tuple[str, ...]:
    """Return the formats that dates may have: the one that is set, if any, and the known ones."""
    return (date_format, *FORMATS) if date_format else FORMATS


def agree(text: pl.Series, formats: tuple[str, ...]) -> bool:
    """Whether all of some formats give the same dates."""
    first, *others = (times for _, times in _readings(text, formats))
    return all(first.equals(other, null_equal=True) for other in others)


def one_of_each_reading(text: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    """Return one value of each kind that matters to the choice of a format.

    A kind is which formats fit a value, and which of these give the same date:
    :func:`readable`, :func:`fitting_formats` and :func:`agree` tell no more apart.

    Examples
    --------
    >>> dates = pl.Series(["01/02/2025", "03/02/2025", "04/04/2025", "25/02/2025", "x"])
    >>> one_of_each_reading(dates, ("%d/%m/%Y", "%m/%d/%Y")).to_list()
    ['01/02/2025', '04/04/2025', '25/02/2025', 'x']
    """
    values = text.unique(maintain_order=True)
    readings: list[pl.Series] = []
    kinds: dict[str, pl.Series] = {}
    for form, times in _readings(values, formats):
        if times.null_count() == len(times):
            continue
        kind = pl.Series([-1], dtype=pl.Int32).new_from_index(0, len(values))
        # The first format with the same reading, itself at the latest.
        for number, earlier in reversed(list(enumerate([*readings, times]))):
            kind = kind.set((earlier == times).fill_null(False), number)
        kinds[form] = kind
        readings.append(times)
    if not kinds:
        return values.head(1)
    given = pl.DataFrame({"": values, **kinds})
    return given.unique(list(kinds), keep="first", maintain_order=True)[""].alias(text.name)


def with_times(raw: pl.DataFrame, date_format: str, week: str) -> pl.DataFrame:
    """Add what follows from SHOP_DATE and is not given itself.

    Parameters
    ----------
    raw : DataFrame
        Lines as delivered, columns under their names in the schema.
    date_format : str
        How text in SHOP_DATE is written; empty if it is a whole number (YYYYMMDD).
    week : str
        ``iso``, or the day on which fiscal years start (``MM-DD``).

    Returns
    -------
    DataFrame
        SHOP_DATE as a whole number (YYYYMMDD, Int32; null where it cannot be read) if it was a
        date; SHOP_WEEK, SHOP_WEEKDAY and, from times of day, SHOP_HOUR (Int32) where they were
        absent.
    """
    given = raw[SHOP_DATE]
    absent = [name for name in (SHOP_WEEK, SHOP_WEEKDAY, SHOP_HOUR) if name not in raw.columns]
    whole = given.dtype.is_integer() or (given.dtype == pl.String and date_format == _WHOLE)
    if whole and not {SHOP_WEEK, SHOP_WEEKDAY}.intersection(absent):
        return raw
    times, timed = _times(given, date_format)
    if times is None:
        return raw
    made = {SHOP_WEEK: weeks(times, week), SHOP_WEEKDAY: times.dt.weekday() % 7 + 1}
    if timed:
        made[SHOP_HOUR] = times.dt.hour()
    date = times.dt.year().cast(pl.Int32) * 10_000 + times.dt.month().cast(pl.Int32) * 100
    columns = [(date + times.dt.day()).alias(SHOP_DATE)]
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
        return given.cast(pl.Datetime("us")), False
    if isinstance(given.dtype, pl.Datetime):
        # The wall clock counts, whatever the zone is.
        return given.dt.replace_time_zone(None).cast(pl.Datetime("us")), True
    if given.dtype.is_integer() or given.dtype.is_float():
        text = given.cast(pl.Int64, strict=False).cast(pl.String)
        return parse_dates(text, date_format or _WHOLE), date_format.startswith("epoch")
    if given.dtype == pl.String and date_format:
        timed = any(part in date_format for part in ("%H", "%I", "epoch"))
        return parse_dates(given, date_format), timed
    return None, False
