"""From delivered values to typed lines; a line that cannot be used gets a reason.

Nothing is dropped here: every line comes out with ``reason`` null (accepted) or filled (refused),
so that accepted + rejected = read, always. Clean data pays for plain casts only: the careful second
look is taken where a cast lost a value.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from basketwise.errors import InputError
from basketwise.etl.reading import ROW, RawFrame
from basketwise.schema import (
    BASKET_ID,
    COLUMNS,
    LABEL,
    PROD_CODE,
    QUANTITY,
    SHOP_WEEK,
    SPEND,
    Kind,
)

REASON = "reason"
NO_WEEK = 0
"""SHOP_WEEK of lines whose file has no such column: one partition holds them all."""

DTYPES: dict[Kind, type[pl.DataType]] = {
    Kind.ID: pl.String,
    Kind.TEXT: pl.String,
    Kind.INTEGER: pl.Int32,
    Kind.NUMBER: pl.Float64,
}

_DAMAGED = r"^\s*[0-9]([.,][0-9]*)?[eE]\+?[0-9]+\s*$"
_FLOAT_ID = r"^\s*[0-9]+\.0*\s*$"
_WEEKS = (1900_01, 2999_54)


def clean(
    raw: RawFrame, labels: Mapping[str, str], *, source_name: str, labelled: bool
) -> pl.DataFrame:
    """Type the lines of one frame and say which cannot be used.

    Parameters
    ----------
    raw : RawFrame
        Lines as delivered.
    labels : mapping of str to str
        The input's label, in any case, to ``Low``, ``Medium``, ``High`` or ``Unclassified``.
    source_name : str
        For errors.
    labelled : bool
        Whether a line needs a label.

    Returns
    -------
    DataFrame
        One row per raw line, in the same order: ``row``; all columns of the schema, those absent
        from the file null, BASKET_ID as text, exactly as delivered; ``reason`` (String, null where
        the line is accepted).

    Raises
    ------
    InputError
        If basket ids are damaged by a spreadsheet or written as floats: no line of such a file can
        be trusted, since several baskets may share one id by now.
    """
    frame = raw.frame
    _refuse_damaged_ids(frame, source_name)
    typed = frame.select(
        ROW,
        *(
            pl.col(c.name).cast(DTYPES[c.kind], strict=False)
            if c.name in frame.columns
            else _absent(c.name, c.kind)
            for c in COLUMNS
        ),
    )
    suspects = _that_lost_a_value(frame, typed)
    if suspects:
        typed = typed.with_columns(
            _careful(frame[c.name], c.kind, decimal_comma=raw.decimal_comma)
            for c in COLUMNS
            if c.name in suspects
        )
    mapped = typed.with_columns(
        _mapped_label(typed[LABEL], labels) if labelled else _absent(LABEL, Kind.TEXT)
    )
    reason = _first_reason(frame, typed, mapped, labelled=labelled)
    if SHOP_WEEK not in frame.columns:
        mapped = mapped.with_columns(pl.lit(NO_WEEK, dtype=pl.Int32).alias(SHOP_WEEK))
    return mapped.with_columns(reason)


def _refuse_damaged_ids(frame: pl.DataFrame, source_name: str) -> None:
    ids = frame[BASKET_ID]
    # Damaged ids are no integers, so where every id is one there is nothing to look for.
    if ids.dtype != pl.String or ids.cast(pl.Int64, strict=False).null_count() == ids.null_count():
        return
    for pattern, damage in ((_DAMAGED, "spreadsheet damage"), (_FLOAT_ID, "written as a float")):
        hits = frame.filter(ids.str.contains(pattern))
        if hits.height:
            raise InputError(
                f"{source_name!r} holds the {BASKET_ID} {hits[BASKET_ID][0]!r} in line "
                f"{hits[ROW][0] + 1:,}: {damage}, digits may be lost ({hits.height:,} lines).",
                "Export the file again without opening it in a spreadsheet, ids as whole numbers "
                "or text.",
            )


def whole_numbers(ids: pl.Series) -> bool:
    """Whether text ids can be kept as Int64 and be written out again letter by letter."""
    numbers = ids.cast(pl.Int64, strict=False)
    return numbers.null_count() == ids.null_count() and bool((numbers.cast(pl.String) == ids).all())


def _absent(name: str, kind: Kind) -> pl.Expr:
    return pl.lit(None, dtype=DTYPES[kind]).alias(name)


def _that_lost_a_value(frame: pl.DataFrame, typed: pl.DataFrame) -> set[str]:
    """Name the columns in which a plain cast did not do justice to some value."""
    present = [column for column in COLUMNS if column.name in frame.columns]
    suspicious = [_suspicious(c.name, c.kind, frame.schema[c.name]) for c in present]
    flags = typed.select(*suspicious).row(0, named=True)
    lost = {name for name, suspect in flags.items() if suspect}
    before, after = frame.null_count().row(0, named=True), typed.null_count().row(0, named=True)
    for column in present:
        if after[column.name] > before[column.name]:
            lost.add(column.name)
    # Polars casts 2.5 to 2: a fraction is a lost value too.
    floats = [c.name for c in present if c.kind is Kind.INTEGER and frame.schema[c.name].is_float()]
    return lost | {name for name in floats if (typed[name] != frame[name]).any()}


def _suspicious(name: str, kind: Kind, dtype: pl.DataType) -> pl.Expr:
    if kind in (Kind.ID, Kind.TEXT) and dtype == pl.String:
        # "!" is the first character after the blanks: what is empty or only blanks sorts before it.
        return (pl.col(name) < "!").any()
    if kind is Kind.NUMBER:
        return (~pl.col(name).is_finite()).any().alias(name)
    return pl.lit(False).alias(name)


def _careful(column: pl.Series, kind: Kind, *, decimal_comma: bool) -> pl.Series:
    """Read what a plain cast does not: ``2.0`` for 2, ``0,93`` for 0.93, padding, blank text."""
    if kind in (Kind.ID, Kind.TEXT):
        return column.set(column.str.strip_chars() == "", None)
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        if decimal_comma:
            text = text.str.replace(",", ".", literal=True)
        number = text.cast(pl.Float64, strict=False)
    else:
        number = column.cast(pl.Float64, strict=False)
    usable = number.is_finite() & ((number == number.round()) | (kind is Kind.NUMBER))
    kept = number.zip_with(
        usable.fill_null(False), pl.Series([None], dtype=pl.Float64).new_from_index(0, len(number))
    )
    return kept.cast(DTYPES[kind], strict=False)


def _mapped_label(given: pl.Series, labels: Mapping[str, str]) -> pl.Series:
    """Give each label its meaning; padding and case are looked at only where a label is unknown."""
    meaning = given.replace_strict(
        list(labels), list(labels.values()), default=None, return_dtype=pl.String
    )
    if meaning.null_count() > given.null_count():
        folded = {name.strip().upper(): meant for name, meant in labels.items()}
        meaning = (
            given.str.strip_chars()
            .str.to_uppercase()
            .replace_strict(
                list(folded), list(folded.values()), default=None, return_dtype=pl.String
            )
        )
    return meaning


def _first_reason(
    raw: pl.DataFrame, typed: pl.DataFrame, mapped: pl.DataFrame, *, labelled: bool
) -> pl.Series:
    """Give the first reason that applies to each line, in a fixed order."""
    reasons: list[tuple[str, pl.Series]] = []

    def refuse_nulls(name: str, *, absent: str, garbled: str) -> None:
        # Looked at only where there is a null at all: on clean data this costs nothing.
        if typed[name].null_count():
            given = _given(raw[name])
            reasons.append((absent, ~given))
            reasons.append((garbled, given & typed[name].is_null()))

    refuse_nulls(BASKET_ID, absent="missing_basket_id", garbled="missing_basket_id")
    refuse_nulls(PROD_CODE, absent="missing_prod_code", garbled="missing_prod_code")
    refuse_nulls(SPEND, absent="missing_spend", garbled="spend_not_a_number")
    refuse_nulls(QUANTITY, absent="missing_quantity", garbled="quantity_not_an_integer")
    reasons.append(("quantity_not_positive", typed[QUANTITY] <= 0))
    if SHOP_WEEK in raw.columns:
        refuse_nulls(SHOP_WEEK, absent="missing_shop_week", garbled="shop_week_not_yyyyww")
        week = typed[SHOP_WEEK]
        in_year = week.is_between(*_WEEKS) & (week % 100).is_between(1, 54)
        reasons.append(("shop_week_not_yyyyww", ~in_year))
    for column in COLUMNS:
        if column.required or column.kind is not Kind.INTEGER or column.name == SHOP_WEEK:
            continue
        if column.name in raw.columns and typed[column.name].null_count():
            garbled = typed[column.name].is_null() & _given(raw[column.name])
            reasons.append((f"{column.name.lower()}_not_an_integer", garbled))
    if labelled:
        refuse_nulls(LABEL, absent="missing_label", garbled="missing_label")
        if mapped[LABEL].null_count():
            reasons.append(("unknown_label", mapped[LABEL].is_null()))
    first: pl.Expr = pl.lit(None, dtype=pl.String)
    for name, mask in reversed([(n, m.fill_null(False)) for n, m in reasons]):
        if mask.any():
            first = pl.when(mask).then(pl.lit(name)).otherwise(first)
    return typed.select(pl.when(pl.col(ROW) >= 0).then(first).alias(REASON)).to_series()


def _given(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        return (column.str.strip_chars() != "").fill_null(False)
    return column.is_not_null()
