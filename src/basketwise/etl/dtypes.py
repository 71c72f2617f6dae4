"""From delivered values to the types of the schema.

Clean data pays for plain casts only: the careful second look is taken where a cast lost a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import polars as pl

from basketwise.errors import InputError
from basketwise.etl.header import check_columns, standard_names
from basketwise.schema import BASKET_ID, COLUMNS, Kind

DTYPES: dict[Kind, type[pl.DataType]] = {
    Kind.ID: pl.String,
    Kind.TEXT: pl.String,
    Kind.INTEGER: pl.Int32,
    Kind.NUMBER: pl.Float64,
}

_DAMAGED = r"^\s*[0-9]([.,][0-9]*)?[eE]\+?[0-9]+\s*$"
_FLOAT_ID = r"^\s*[0-9]+\.0*\s*$"
_KNOWN = {column.name for column in COLUMNS}


def standard(
    frame: pl.DataFrame, source: str, columns: Mapping[str, str], *, labelled: bool
) -> pl.DataFrame:
    """Select the known columns of a raw table under their upper-case names; categories as text.

    The label column is left out unless ``labelled``.

    Raises
    ------
    InputError
        If a required column is absent, one is given twice, or one is of a type that no raw line
        has.
    """
    names = standard_names(frame.columns, columns)
    check_columns(source, names, labelled=labelled)
    known = {given: n for given, n in zip(frame.columns, names, strict=True) if n in _KNOWN}
    # For a single basket each query costs more than its work, so here and below columns are put
    # together without one.
    raw = frame[list(known)]
    raw.columns = list(known.values())
    for name, dtype in raw.schema.items():
        if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
            raise InputError(
                f"{source!r} has the column {name} as {dtype}.",
                "Each line needs a single text or number in it.",
            )
    if raw.schema[BASKET_ID].is_float():
        raise InputError(
            f"{source!r} has {BASKET_ID} as {raw.schema[BASKET_ID]}: floats cannot carry 15 "
            "digits.",
            f"Write {BASKET_ID} as a 64-bit integer or as text.",
        )
    categories = [n for n, t in raw.schema.items() if t in (pl.Categorical, pl.Enum)]
    return raw.with_columns(pl.col(categories).cast(pl.String)) if categories else raw


def refuse_damaged_ids(ids: pl.Series, source: str, rows: pl.Series) -> None:
    """Refuse a table whose basket ids went through a spreadsheet or were written as floats.

    ``rows`` are the numbers of the lines within the table.
    """
    # Damaged ids are no integers, so where every id is one there is nothing to search for.
    if ids.dtype != pl.String or ids.cast(pl.Int64, strict=False).null_count() == ids.null_count():
        return
    for pattern, damage in ((_DAMAGED, "spreadsheet damage"), (_FLOAT_ID, "written as a float")):
        hits = ids.str.contains(pattern).arg_true()
        if len(hits):
            raise InputError(
                f"{source!r} has the {BASKET_ID} {ids[hits[0]]!r} in line "
                f"{rows[hits[0]] + 1:,}: {damage}, digits may be lost ({len(hits):,} lines).",
                "Export the file again without opening it in a spreadsheet, ids as whole numbers "
                "or text.",
            )


def typed(raw: pl.DataFrame, *, decimal_comma: bool) -> pl.DataFrame:
    """Cast every column to its type in the schema; null where a value cannot be, or is absent.

    ``raw`` comes from :func:`standard`; BASKET_ID becomes text, exactly as delivered.
    ``decimal_comma``: numbers may be written ``0,93``.
    """
    cast = raw.select(_casts(frozenset(raw.columns)))
    damaged = _lost_values(raw, cast)
    if not damaged:
        return cast
    return cast.with_columns(
        _careful(raw[c.name], c.kind, decimal_comma=decimal_comma)
        for c in COLUMNS
        if c.name in damaged
    )


def mapped_labels(given: pl.Series, labels: Mapping[str, str]) -> pl.Series:
    """Give each label its meaning; padding and case are tried only where a label is unknown."""
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


def _lost_values(raw: pl.DataFrame, cast: pl.DataFrame) -> set[str]:
    """Name the columns in which a plain cast did not do justice to some value."""
    present = [column for column in COLUMNS if column.name in raw.columns]
    flags = cast.select(_damage_checks(tuple(raw.schema.items())))
    lost = {name for name, suspect in flags.row(0, named=True).items() if suspect}
    before, after = raw.null_count().row(0, named=True), cast.null_count().row(0, named=True)
    lost |= {c.name for c in present if after[c.name] > before[c.name]}
    # Polars casts 2.5 to 2: a fraction is a lost value too.
    floats = [c.name for c in present if c.kind is Kind.INTEGER and raw.schema[c.name].is_float()]
    return lost | {name for name in floats if (cast[name] != raw[name]).any()}


# For a single basket, building expressions costs as much as running them: they are cached.
@lru_cache
def _casts(present: frozenset[str]) -> list[pl.Expr]:
    return [
        pl.col(c.name).cast(DTYPES[c.kind], strict=False)
        if c.name in present
        else pl.lit(None, dtype=DTYPES[c.kind]).alias(c.name)
        for c in COLUMNS
    ]


@lru_cache
def _damage_checks(schema: tuple[tuple[str, pl.DataType], ...]) -> list[pl.Expr]:
    kinds = {column.name: column.kind for column in COLUMNS}
    suspicions = [pl.lit(False).alias("none")]
    for name, dtype in schema:
        if kinds[name] in (Kind.ID, Kind.TEXT) and dtype == pl.String:
            # "!" is the first character after the blanks: what is empty or blank sorts before it.
            suspicions.append((pl.col(name) < "!").any())
        elif kinds[name] is Kind.NUMBER:
            suspicions.append((~pl.col(name).is_finite()).any())
    return suspicions


def _careful(column: pl.Series, kind: Kind, *, decimal_comma: bool) -> pl.Series:
    """Read what a plain cast does not: ``2.0`` for 2, ``0,93`` for 0.93, padding, blank text."""
    if kind in (Kind.ID, Kind.TEXT):
        text = column.cast(pl.String)
        return text.set(text.str.strip_chars() == "", None)
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
