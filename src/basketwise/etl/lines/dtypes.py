"""From delivered values to the types of the schema.

Clean data pays for plain casts only: the careful second look is taken where a cast lost a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import product

import polars as pl

from basketwise.errors import InputError
from basketwise.etl.lines.dates import hours, weekdays, with_times
from basketwise.etl.lines.derived import with_derived
from basketwise.etl.lines.missing import without_missing
from basketwise.etl.lines.numbers import parse
from basketwise.etl.lines.rules import Rules
from basketwise.etl.lines.stored_types import in_plain_type
from basketwise.etl.raw.header import check_columns, standard_names
from basketwise.schema import (
    BASKET_ID,
    COLUMNS,
    CUST_CODE,
    KINDS,
    PROD_CODE,
    SHOP_DATE,
    SHOP_HOUR,
    SHOP_WEEKDAY,
    SPEND,
    Kind,
)
from basketwise.tables import selected

DTYPES: dict[Kind, type[pl.DataType]] = {
    Kind.ID: pl.String,
    Kind.TEXT: pl.String,
    Kind.INTEGER: pl.Int32,
    Kind.NUMBER: pl.Float64,
}

# What a spreadsheet writes of a long number; an E between digits alone is a till's letter, or hex.
_DAMAGED = r"(?:^|-)\s*[0-9]([.,][0-9]*)?[eE]\+[0-9]+\s*(?:-|$)"
_DAMAGED_CODE = r"^\s*[0-9](?:[.,][0-9]*)?E\+[0-9]+\s*$"
_DAMAGEABLE = (PROD_CODE, CUST_CODE)
"""Article and card numbers have as many digits as ids of baskets."""
_SAMPLE = 2_000
"""Codes that are looked at for damage first."""
_FLOAT_ID = r"^\s*[0-9]+(?:\.0*|,0+)\s*$"
_HHMM = 100
"""From here on an hour is a time of day: 1330 is half past one."""
_TIME_OF_DAY = "^[0-9]{3,4}$"
_MANY = 10_000
"""Lines from which values that repeat are found first, where all of each are looked at."""
_MOST_LETTERS = 8
"""Of a missing word whose spellings are all listed: 256 of them."""


def standard(frame: pl.DataFrame, source: str, rules: Rules) -> pl.DataFrame:
    """Select the known columns of a raw table under their upper-case names.

    Categories, binary text and whole numbers stored as decimals or floats become what they stand
    for; week, weekday and hour that are not given follow from SHOP_DATE, basket ids and amounts
    from other columns (see :mod:`basketwise.etl.lines.derived`). The label column is left out
    unless ``rules.labelled``.

    Raises
    ------
    InputError
        If a required column is absent, one is given twice, or one is of a type that no raw line
        has.
    """
    names = standard_names(frame.columns, rules.columns)
    check_columns(
        source, names, labelled=rules.labelled, columns=rules.columns, given=frame.columns
    )
    known = {given: n for given, n in zip(frame.columns, names, strict=True) if n in KINDS}
    # For a single basket each query costs more than its work, so here and below columns are put
    # together without one.
    raw = frame[list(known)]
    raw.columns = list(known.values())
    if BASKET_ID in raw.columns and raw.schema[BASKET_ID].is_float():
        raise InputError(
            f"{source!r} has {BASKET_ID} as {raw.schema[BASKET_ID]}: floats cannot carry 15 "
            "digits.",
            f"Write {BASKET_ID} as a 64-bit integer or as text.",
        )
    columns = raw.get_columns()
    plain = [in_plain_type(column, source) for column in columns]
    changed = [new for new, old in zip(plain, columns, strict=True) if new is not old]
    raw = with_derived(raw.with_columns(changed) if changed else raw, rules)
    return with_times(raw, rules) if SHOP_DATE in raw.columns else raw


def refuse_damaged_ids(raw: pl.DataFrame, numbers: pl.Series, source: str, rows: pl.Series) -> None:
    """Refuse a table whose ids went through a spreadsheet, or whose basket ids are floats.

    Those of products and customers are looked at too. ``numbers`` are the ids of baskets as Int64,
    null where they are none; ``rows`` the numbers of the lines within the table, 0 where they have
    none: these may be a part of its lines only.
    """
    for name in _DAMAGEABLE:
        if name not in raw.columns or raw.schema[name] != pl.String:
            continue
        codes = raw[name]
        # Spreadsheets damage every long number, so some of many lines tell.
        if codes.gather_every(max(1, len(codes) // _SAMPLE)).str.contains("E+", literal=True).any():
            _refuse_matching(codes, _DAMAGED_CODE, "spreadsheet damage", source, rows)
    ids = raw[BASKET_ID]
    # Damaged ids are no integers, so where every id is one there is nothing to search for.
    if ids.dtype != pl.String or numbers.null_count() == ids.null_count():
        return
    _refuse_matching(ids, _DAMAGED, "spreadsheet damage", source, rows)
    _refuse_matching(ids, _FLOAT_ID, "written as a float", source, rows)


def _refuse_matching(
    ids: pl.Series, pattern: str, damage: str, source: str, rows: pl.Series
) -> None:
    hits = ids.str.contains(pattern).arg_true()
    if len(hits):
        row, where, count = rows[hits[0]], "", ""
        if row:
            where, count = f" in line {row + 1:,}", f" ({len(hits):,} lines)"
        raise InputError(
            f"{source!r} has the {ids.name} {ids[hits[0]]!r}{where}: {damage}, digits may be "
            f"lost{count}.",
            "Export the file again without opening it in a spreadsheet, ids as whole numbers or "
            "text.",
        )


def typed(raw: pl.DataFrame, rules: Rules, *, blanks: bool = True) -> pl.DataFrame:
    """Cast every column to its type in the schema; null where a value cannot be, or is absent.

    ``raw`` comes from :func:`standard`. Text is stripped of blanks around it; missing words, and
    nothing at all, are null. ``blanks``: whether there may be any. BASKET_ID is Int64 if it was
    given as such, since as text it would only be turned back. A zero in SPEND has no sign.
    """
    number_ids = raw.schema[BASKET_ID] == pl.Int64
    cast = selected(raw, _casts(frozenset(raw.columns), number_ids=number_ids))
    suspects = _suspects(raw, cast, rules, blanks=blanks)
    if suspects:
        cast = cast.with_columns(
            _careful(raw[c.name], c.kind, rules) for c in COLUMNS if c.name in suspects
        )
    # Text and floats can have a negative zero, decimals cannot; and of two lines that are equal but
    # for it, the one delivered first would decide the sign of a sum. Polars leaves out a + 0.0.
    zero = cast[SPEND] == 0
    return cast.with_columns(cast[SPEND].set(zero, 0.0)) if zero.any() else cast


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


def _suspects(raw: pl.DataFrame, cast: pl.DataFrame, rules: Rules, *, blanks: bool) -> set[str]:
    """Name the columns in which a plain cast did not do justice to some value."""
    suspicions = _suspicions(tuple(raw.schema.items()), rules.missing, blanks=blanks)
    if blanks and cast.height >= _MANY:
        lost = {name for name, suspicion in suspicions.items() if _holds(suspicion, cast[name])}
    else:
        flags = selected(cast, suspicions.values())
        lost = {name for name in suspicions if flags[name].item()}
    before, after = raw.null_count().row(0, named=True), cast.null_count().row(0, named=True)
    lost |= {name for name in raw.columns if after[name] > before[name]}
    for name, dtype in raw.schema.items():
        if KINDS[name] is Kind.INTEGER and dtype.is_float() and (cast[name] != raw[name]).any():
            # Polars casts 2.5 to 2: a fraction is a lost value too.
            lost.add(name)
        if KINDS[name] is Kind.NUMBER and dtype == pl.String and "," in rules.decimal_of(name):
            # A plain cast takes 1.234 for less than two.
            lost.add(name)
        if name == SHOP_HOUR and dtype == pl.String and (raw[name].str.len_bytes() > 2).any():
            # A plain cast takes 0012 for noon.
            lost.add(name)
    return lost


def _holds(suspicion: pl.Expr, column: pl.Series) -> bool:
    """Whether a suspicion holds; of text that repeats, one is looked at."""
    values = column.unique() if column.dtype == pl.String else column
    return bool(values.to_frame().select(suspicion).item())


# For a single basket, building expressions costs as much as running them: they are cached.
@lru_cache
def _casts(present: frozenset[str], *, number_ids: bool) -> list[pl.Expr]:
    types = {c.name: DTYPES[c.kind] for c in COLUMNS}
    if number_ids:
        types[BASKET_ID] = pl.Int64
    return [
        pl.col(name).cast(dtype, strict=False)
        if name in present
        else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in types.items()
    ]


@lru_cache
def _suspicions(
    schema: tuple[tuple[str, pl.DataType], ...], missing: tuple[str, ...], *, blanks: bool
) -> dict[str, pl.Expr]:
    words = {form for word in missing for form in _spellings(word)}
    long_words = [word for word in missing if not _spellings(word)]
    suspicions = {}
    for name, dtype in schema:
        column = pl.col(name)
        if KINDS[name].is_text and dtype == pl.String:
            suspicion = column.is_in(sorted(words)).any()
            if long_words:
                suspicion |= column.str.to_uppercase().is_in(long_words).any()
            if blanks:
                # Blanks, and nothing at all, sort before "!" or, those that are not ASCII, after
                # "~"; so do letters with accents, which are only looked at once more.
                last = column.str.slice(-1)
                plain = column.is_between(pl.lit("!"), pl.lit("~~")) & last.is_between(
                    pl.lit("!"), pl.lit("~")
                )
                suspicion |= ~plain.all()
            suspicions[name] = suspicion.alias(name)
        elif KINDS[name] is Kind.NUMBER:
            suspicions[name] = (~column.is_finite()).any()
        elif name == SHOP_HOUR:
            suspicions[name] = (column >= _HHMM).any()
    return suspicions


def _spellings(word: str) -> set[str]:
    """Write a missing word in every mixture of cases; none if there are too many of them."""
    if not word.isascii() or sum(map(str.isalpha, word)) > _MOST_LETTERS:
        return set()
    return set(map("".join, product(*({c.lower(), c.upper()} for c in word))))


def _careful(column: pl.Series, kind: Kind, rules: Rules) -> pl.Series:
    """Read what a plain cast does not: ``2.0`` for 2, ``0,93`` for 0.93, padding, missing words."""
    if kind.is_text:
        return without_missing(column.cast(pl.String), rules.missing)
    if column.dtype == pl.String:
        decimal = rules.decimal_of(column.name) if kind is Kind.NUMBER else ""
        number = parse(column, decimal, money=column.name == SPEND)
        if column.name == SHOP_WEEKDAY:
            number = number.fill_null(weekdays(column))
        elif column.name == SHOP_HOUR:
            times = column.str.strip_chars().str.contains(_TIME_OF_DAY).fill_null(False)
            number = number.set(times, None).fill_null(hours(column))
    else:
        number = column.cast(pl.Float64, strict=False)
    if column.name == SHOP_HOUR:
        clock = hours(number.cast(pl.Int64, strict=False).cast(pl.String))
        number = clock.zip_with((number >= _HHMM).fill_null(False), number)
    usable = number.is_finite() & ((number == number.round()) | (kind is Kind.NUMBER))
    kept = number.zip_with(
        usable.fill_null(False), pl.Series([None], dtype=pl.Float64).new_from_index(0, len(number))
    )
    return kept.cast(DTYPES[kind], strict=False)
