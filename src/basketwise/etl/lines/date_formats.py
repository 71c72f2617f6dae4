"""Formats of dates and times: those that are tried, and which of them values fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import pairwise, product

import polars as pl

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

WHOLE = "%Y%m%d"

FORMATS: tuple[str, ...] = (
    WHOLE,
    *(
        f"{date}{between}{time}"
        for date, time in product(_DATES, _TIMES)
        for between in ([""] if not time else [" ", "T"] if date == "%Y-%m-%d" else [" ", ", "])
    ),
    "%Y%m%d %H:%M",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d%H%M",
    "%Y%m%d%H%M%S",
    "%Y%m%dT%H%M%S",
    "%d%b%Y:%H:%M:%S",
    EPOCH_SECONDS,
    EPOCH_MILLISECONDS,
)
"""The formats that are tried, in the notation of ``strptime``."""

AT_ONCE = 32
"""Formats are tried so many at a time: a query for each would take longer than it parses."""

MAX_SHAPES = 64
LONGEST_SHAPE = 64
"""Of values, in characters: with more or longer ones, every format is tried."""

YEARS = (1970, 2100)
"""The first and the last year of a date."""

_TEXT, _CLOCK = "text", "clock"
_WIDTHS = {"%Y": 4}
"""Digits of a part of a date; others have two."""
_POINT_ZERO = ".0"
"""What whole numbers end in where a program made floats of them."""
_WHOLE_SHAPE = 8 * "0"
_HIGHEST_DATE = 99_99_99_99
"""Larger numbers are no YYYYMMDD, but seconds or have a time of day."""
_ZONE = r"(:[0-9]{2}(?:\.[0-9]+)?)\s*(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)$"


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
        text = pl.col(_CLOCK)
        if date_format == WHOLE:
            text = text.str.strip_suffix(_POINT_ZERO)
        if digits := _first_digits(date_format):
            # Without a zero, 2006111 could be two dates.
            text = pl.when(text.str.contains(rf"^[0-9]{{{digits}}}(?:[^0-9]|$)")).then(text)
        times = text.str.to_datetime(date_format, strict=False, time_unit="us")
    return pl.when(times.dt.year().is_between(*YEARS)).then(times)


@lru_cache
def _first_digits(date_format: str) -> int:
    """Count the digits that a format starts with, if nothing separates its parts; else 0."""
    found = re.match("(?:%[YymdHMS]){2,}", date_format)
    parts = re.findall("%.", found[0]) if found else []
    return sum(_WIDTHS.get(part, 2) for part in parts)


def written_dates(dates: pl.Series) -> pl.Series | None:
    """Return the values whose format has to be found, as text; None where their type tells it.

    Whole numbers are YYYYMMDD if none is too large for that.
    """
    if dates.dtype == pl.String:
        return dates
    if not dates.dtype.is_integer() and not dates.dtype.is_float():
        return None
    highest = dates.fill_nan(None).max() if dates.dtype.is_float() else dates.max()
    too_large = isinstance(highest, int | float) and highest > _HIGHEST_DATE
    return digits_of(dates) if too_large else None


def digits_of(numbers: pl.Series) -> pl.Series:
    """Write whole numbers as text; what is none is null."""
    whole = numbers.cast(pl.Int64, strict=False)
    return whole.set((whole != numbers).fill_null(False), None).cast(pl.String)


def format_of_numbers(date_format: str) -> str:
    """Return the format of dates that are numbers, where text has ``date_format``."""
    digits = date_format in (EPOCH_SECONDS, EPOCH_MILLISECONDS) or re.fullmatch(
        "(?:%[YymdHMS])+", date_format
    )
    return date_format if digits else WHOLE


def _readings(text: pl.Series, formats: tuple[str, ...]) -> Iterator[tuple[str, pl.Series]]:
    """Read dates and times in one format after the other: the first, then some at a time."""
    ends = [1, *range(1 + AT_ONCE, len(formats), AT_ONCE), len(formats)]
    for start, end in pairwise([0, *ends]):
        if some := formats[start:end]:
            yield from zip(some, _parsed(text, some), strict=True)


def possible_formats(text: pl.Series, formats: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out formats that no value of such shapes could fit, whatever its digits are.

    Most formats are left out, so that few are tried on all values.

    Examples
    --------
    >>> possible_formats(pl.Series(["31.12.2025", "32.13.2025"]), FORMATS)
    ('%d.%m.%Y',)
    """
    shapes = text.str.strip_chars().str.replace_all("[0-9]", "0").drop_nulls().unique()
    shapes = shapes.replace(_WHOLE_SHAPE + _POINT_ZERO, _WHOLE_SHAPE)
    if len(shapes) > MAX_SHAPES or (shapes.str.len_chars() > LONGEST_SHAPE).any():
        return formats
    possible = {form for shape in shapes for form in _formats_of(shape)}
    return tuple(form for form in formats if form in possible or form not in FORMATS)


@lru_cache(maxsize=1024)
def _formats_of(shape: str) -> tuple[str, ...]:
    """Return the formats that fit some value of a shape, which has a 0 for every digit."""

    def digits(run: re.Match[str], long: str) -> str:
        # A long run of digits starts with a year, or is a time; a short one may be anything but 0.
        return long[: len(run[0])] if len(run[0]) > 3 else run[0][1:] + "1"

    examples = [
        re.sub("0+", partial(digits, long=long), shape) for long in ("20010101010101", "01" * 7)
    ]
    readings = zip(FORMATS, _parsed(pl.Series(examples), FORMATS), strict=True)
    return tuple(form for form, times in readings if times.null_count() < len(times))


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
    if among[:1] == (WHOLE,) and not parse_dates(values, WHOLE).null_count():
        # Eight digits fit no other format.
        return (WHOLE,)
    readings = _readings(values, possible_formats(values, among))
    return tuple(form for form, times in readings if not times.null_count())


def readable(text: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    """Return the values that some format fits."""
    fits = pl.repeat(False, len(text), eager=True)
    for _, times in _readings(text, possible_formats(text, formats)):
        fits |= times.is_not_null()
        if fits.all():
            return text
    return text.filter(fits)


def first_misfit(text: pl.Series, formats: tuple[str, ...]) -> int:
    """Return the row of the first value that no format fits which fits all before it; else 0."""
    fits = pl.repeat(0, len(text), dtype=pl.UInt8, eager=True)
    for _, times in _readings(text, possible_formats(text, formats)):
        fits |= times.is_not_null().cast(pl.UInt8).cum_min()
    return (fits == 0).arg_max() or 0


def tried_formats(date_format: str) -> tuple[str, ...]:
    """Return the formats that dates may have: the one that is set, if any, and the known ones."""
    return (date_format, *FORMATS) if date_format else FORMATS


def one_of_each_order(formats: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first format of each order of day, month and year.

    What fits several formats of one order is the same date in all of them.

    Examples
    --------
    >>> one_of_each_order(("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S%.f", "%m/%d/%Y %H:%M:%S"))
    ('%d/%m/%Y %H:%M:%S', '%m/%d/%Y %H:%M:%S')
    """
    first: dict[tuple[str, ...], str] = {}
    for form in formats:
        first.setdefault(tuple(re.findall("%[dmbyY]", form)), form)
    return tuple(first.values())


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
    for form, times in _readings(values, possible_formats(values, formats)):
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
