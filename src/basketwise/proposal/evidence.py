"""What the values of the first lines say about each column."""

from __future__ import annotations

from functools import cached_property

import polars as pl

from basketwise.etl.lines.date_formats import FORMATS, fitting_formats, readable
from basketwise.etl.lines.missing import without_missing
from basketwise.etl.lines.numbers import decimal_mark, parse, undecided
from basketwise.etl.lines.stored_types import codes_as_text, decoded
from basketwise.schema import MISSING_WORDS

LETTER = r"\p{L}"
_DATE_SAMPLE = 300
_STEADY = 0.3
"""Spread of a product's unit prices, relative to their mean, that shops do not exceed."""
_DATE_LIKE = (
    r"^(?:[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}|[0-9]{8}|[0-9]{1,2}[ -][A-Za-z]{3}"
    r"|[A-Za-z]{3} [0-9]{1,2})(?:$|[^0-9].*)"
)


class Column:
    """The values of one column as text: stripped, null where missing.

    Attributes
    ----------
    name
        As it is written in the files.
    values
        One value per line.
    is_float
        Whether the values were floats; they cannot be ids.
    """

    def __init__(self, name: str, delivered: pl.Series) -> None:
        self.name = name
        self.is_float = delivered.dtype.is_float()
        self.values = without_missing(_as_text(delivered), MISSING_WORDS).alias(name)

    @cached_property
    def present(self) -> pl.Series:
        """The values that are not missing."""
        return self.values.drop_nulls()

    @cached_property
    def distinct(self) -> int:
        """How many different values there are."""
        return self.present.n_unique()

    @property
    def missing(self) -> float:
        """Share of lines without a value."""
        return self.values.null_count() / max(len(self.values), 1)

    @cached_property
    def examples(self) -> tuple[str, ...]:
        """Up to three different values, in the order of delivery."""
        return tuple(self.present.unique(maintain_order=True).head(3).to_list())

    @cached_property
    def numbers(self) -> pl.Series:
        """The values as numbers; null where one is none, or can be read in two ways."""
        return parse(self.values, decimal_mark(self.present.unique()))

    @cached_property
    def numeric(self) -> float:
        """Share of the values that are numbers."""
        unclear = self.values.filter(self.numbers.is_null() & self.values.is_not_null())
        read = self.numbers.count() + (len(unclear) if undecided(unclear) else 0)
        return read / max(len(self.present), 1)

    @cached_property
    def decimals(self) -> float:
        """Share of the numbers that have decimals."""
        given = self.numbers.drop_nulls()
        return float((given != given.round()).mean() or 0) if len(given) else 0.0  # type: ignore[arg-type]

    @cached_property
    def letters(self) -> float:
        """Share of the values that contain two letters."""
        found = self.present.str.contains(rf"{LETTER}.*{LETTER}")
        return float(found.sum()) / max(len(found), 1)

    @cached_property
    def formats(self) -> tuple[str, ...]:
        """The formats of dates that nearly all values fit; empty if they are no dates."""
        sample = self.present.unique(maintain_order=True)
        sample = sample.gather_every(max(1, len(sample) // _DATE_SAMPLE))
        if not len(sample) or (sample.str.contains(_DATE_LIKE).mean() or 0) < 0.95:  # type: ignore[operator]
            return ()
        fits = readable(sample, FORMATS)
        return fitting_formats(fits, FORMATS) if len(fits) >= 0.95 * len(sample) else ()

    @property
    def is_timed(self) -> bool:
        """Whether the values are dates with a time of day."""
        return any("%H" in form or "%I" in form for form in self.formats)

    def per(self, group: pl.Series) -> float:
        """Return the share of the groups of several lines that have one value at most."""
        pairs = pl.DataFrame({"group": group, "value": self.values}).drop_nulls("group")
        counts = pairs.group_by("group").agg(
            pl.col("value").drop_nulls().n_unique().alias("values"), pl.len().alias("lines")
        )
        several = counts.filter(pl.col("lines") > 1)
        return float((several["values"] <= 1).mean() or 0) if several.height else 1.0  # type: ignore[arg-type]


def columns_of(frame: pl.DataFrame) -> dict[str, Column]:
    """Return the columns of some lines that can be read: nothing nested, no bytes but text."""
    read = [decoded(series) for series in frame]
    plain = [s for s in read if not s.dtype.is_nested() and s.dtype not in (pl.Object, pl.Binary)]
    return {series.name: Column(series.name, series) for series in plain}


def follows_quantity(amount: Column, quantity: Column, product: pl.Series) -> bool | None:
    """Whether an amount grows with the quantity, as that of a whole line does.

    None if no product is there in two quantities, or prices vary too much, so that the values do
    not tell.
    """
    lines = pl.DataFrame(
        {"product": product, "amount": amount.numbers, "quantity": quantity.numbers}
    ).filter((pl.col("quantity") > 0) & (pl.col("amount") > 0))
    spread = (
        lines.with_columns(each=pl.col("amount") / pl.col("quantity"))
        .group_by("product")
        .agg(
            pl.col("quantity").n_unique().alias("quantities"),
            (pl.col("amount").std() / pl.col("amount").mean()).alias("as_unit"),
            (pl.col("each").std() / pl.col("each").mean()).alias("as_line"),
        )
        .filter(pl.col("quantities") > 1)
    )
    if not spread.height:
        return None
    unit, line = (float(spread[name].median() or 0) for name in ("as_unit", "as_line"))  # type: ignore[arg-type]
    # Prices change; a product whose amounts are all over the place says nothing.
    if min(unit, line) > _STEADY or abs(unit - line) < _STEADY / 10:
        return None
    return line < unit


def _as_text(delivered: pl.Series) -> pl.Series:
    dtype = delivered.dtype
    if dtype.is_float():
        return codes_as_text(delivered)
    if isinstance(dtype, pl.Datetime):
        return delivered.dt.replace_time_zone(None).dt.strftime("%Y-%m-%d %H:%M:%S")
    return delivered.cast(pl.String)
