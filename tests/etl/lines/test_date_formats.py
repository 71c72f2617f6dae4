"""Which formats may fit is told by the shape of values; what does fit, by the values."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from basketwise.etl.lines.date_formats import (
    FORMATS,
    LONGEST_SHAPE,
    MAX_SHAPES,
    fitting_formats,
    parse_dates,
    possible_formats,
)

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 12, 31))
WRITTEN = [form for form in FORMATS if "%" in form]


@given(TIMES, st.sampled_from(WRITTEN), st.booleans())
@example(datetime(2025, 1, 2, 10, 11, 12), "%Y%m%dT%H%M%S", False)
@example(datetime(2025, 3, 4, 5, 6, 7, 89), "%d.%m.%Y %H:%M:%S%.f", True)
def test_a_format_that_fits_is_never_left_out(time: datetime, form: str, bare: bool) -> None:
    text = time.strftime(form.replace("%.f", ".%f"))
    if bare:
        text = text.replace("/0", "/").replace("-0", "-").replace(".0", ".").removeprefix("0")
    values = pl.Series([f" {text}", None])
    fitting = [form for form in FORMATS if parse_dates(values, form).null_count() == 1]
    assert set(fitting) <= set(possible_formats(values, FORMATS))
    assert fitting == list(fitting_formats(values))


@pytest.mark.parametrize("value", ["1735800000", "1735800000000", "2025-01-02 10:11:12+0200"])
def test_epochs_and_offsets_have_shapes_too(value: str) -> None:
    assert fitting_formats(pl.Series([value]))


@pytest.mark.parametrize(
    ("value", "date_format", "day"),
    [
        ("20060111", "%Y%m%d", 11),
        ("20060111.0", "%Y%m%d", 11),
        ("2006111", "%Y%m%d", None),
        ("2006111.0", "%Y%m%d", None),
        ("20060111.5", "%Y%m%d", None),
        ("2006111 10:30", "%Y%m%d %H:%M", None),
        ("20060111 9:30", "%Y%m%d %H:%M", 11),
        ("2006011110305", "%Y%m%d%H%M%S", None),
        ("11106", "%d%m%y", None),
        ("111-06", "%d%m-%y", None),
        ("1Jan2006:10:30:00", "%d%b%Y:%H:%M:%S", 1),
    ],
)
def test_parts_of_dates_that_nothing_separates_have_all_their_digits(
    value: str, date_format: str, day: int | None
) -> None:
    time = parse_dates(pl.Series([value]), date_format)[0]
    assert (time.day if time else None) == day


def test_a_shape_leaves_out_most_formats_and_none_of_ones_own() -> None:
    values = pl.Series(["2025-01-02 10:11"])
    own = "%Y-%d-%m %H:%M"
    assert possible_formats(values, (own, *FORMATS)) == (own, "%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    "values", [["1" * (LONGEST_SHAPE + 1)], ["x" * length for length in range(MAX_SHAPES + 1)]]
)
def test_many_or_long_shapes_leave_out_none(values: list[str]) -> None:
    assert possible_formats(pl.Series(values), FORMATS) == FORMATS
