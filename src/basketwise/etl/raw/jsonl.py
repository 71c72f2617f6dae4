"""JSON Lines as frames of text: one object per line, values exactly as written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, Any

import polars as pl

from basketwise.columns import unmistakable
from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.raw.header import refuse_repeated, standard_names
from basketwise.etl.raw.hive import added_columns, with_added
from basketwise.etl.raw.raw_frame import row_numbers
from basketwise.etl.raw.signatures import refuse_binary
from basketwise.schema import AMOUNTS, COLUMN_NAMES, READ_NAMES, ROW

BATCH = 100_000
LINE_BYTES = 128
"""Approximate length of a line."""

LONGEST_LINE = 8 * 2**20
"""Bytes; till lines have some hundred."""

_WHOLE = re.compile("-?[0-9]+")

_FORM = "Each line must be one JSON object, in UTF-8."

Pairs = list[tuple[str, Any]]


def jsonl_frames(
    stream: IO[bytes],
    name: str,
    data: DataConfig,
    partitions: Mapping[str, str | None],
    block: int | None = None,
    *,
    own_names: bool = False,
) -> Iterator[tuple[pl.DataFrame, pl.Series, tuple[str, ...]]]:
    """Read a table in frames of bounded size.

    Parameters
    ----------
    stream : binary file
        The uncompressed bytes.
    name : str
        What errors call it.
    data : DataConfig
        Settings; ``data.columns`` is used.
    partitions : mapping
        Columns of its folders.
    block : int, optional
        Approximate number of bytes per frame.
    own_names : bool
        Yield every column under its own name.

    Yields
    ------
    frame : DataFrame
        The known columns seen so far, as text: numbers exactly as written, null where a key is
        absent. Amounts that are all numbers come as such: their point is no separator of
        thousands, as the one of a text may be. An empty file yields one empty frame with all
        columns.
    rows : Series
        Line number of each row, from 1, blank lines included (UInt32).
    keys : tuple of str
        All keys seen so far, as they are written.

    Raises
    ------
    InputError
        If a line is not an object, or has a duplicate key or a list or an object in a known column.
        The message names the line.
    """
    keys: dict[str, None] = {}
    lines = _objects(name, stream)
    while batch := list(islice(lines, BATCH if block is None else block // LINE_BYTES)):
        keys |= {key: None for _, pairs in batch for key, _ in pairs}
        if own_names:
            frame = _frame(name, batch, dict(zip(keys, keys, strict=True)))
            added = {key: value for key, value in partitions.items() if key not in keys}
        else:
            names = standard_names(keys, data.own_columns)
            refuse_repeated(name, names)
            known = {k: n for k, n in zip(keys, names, strict=True) if n in READ_NAMES}
            frame = _frame(name, batch, known)
            added = added_columns(partitions, names, data.own_columns)
        rows = pl.Series(ROW, [number for number, _ in batch], dtype=pl.UInt32)
        yield with_added(frame, added), rows, tuple(keys)
    if not keys:
        yield pl.DataFrame(schema=dict.fromkeys(COLUMN_NAMES, pl.String)), row_numbers(0), ()


def _objects(name: str, stream: IO[bytes]) -> Iterator[tuple[int, Pairs]]:
    """Yield the number of each line, from 1, with its keys and values."""
    decoder = json.JSONDecoder(
        object_pairs_hook=_Pairs, parse_int=str, parse_float=_Fraction, parse_constant=str
    )
    number = 0
    while line := stream.readline(LONGEST_LINE):
        if not number:
            refuse_binary(line, name)
        number += 1
        if len(line) == LONGEST_LINE:
            raise InputError(
                f"{name!r} has more than {LONGEST_LINE:,} bytes in line {number:,}.", _FORM
            )
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            pairs = decoder.decode(text) if text else None
        except json.JSONDecodeError as error:
            where = f"line {number:,}, column {error.colno:,}"
            raise InputError(
                f"{name!r} is not valid JSON Lines: {where}: {error.msg}.", _FORM
            ) from error
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{name!r} is not valid JSON Lines: line {number:,}: {error}.", _FORM
            ) from error
        if pairs is None and not text:
            continue
        if not isinstance(pairs, _Pairs):
            raise InputError(
                f"{name!r} is not valid JSON Lines: line {number:,} is not an object.", _FORM
            )
        if len(dict(pairs)) < len(pairs):
            raise InputError(
                f"{name!r} is not valid JSON Lines: line {number:,} has a duplicate key.", _FORM
            )
        yield number, pairs


class _Pairs(Pairs):
    """The keys and values of an object; a JSON array is a plain list."""


class _Fraction(str):
    """A number with a point or an exponent as it is written, which a text is not."""

    __slots__ = ()


def _amounts(values: Sequence[str | None]) -> pl.Series:
    """Return amounts as numbers, if all of them are; else as text, in which points stay points."""
    if not any(type(value) is _Fraction for value in values):
        return pl.Series(values, dtype=pl.String)
    others = {value for value in values if type(value) is str}
    if all(map(_WHOLE.fullmatch, others)):
        return pl.Series(values, dtype=pl.String).cast(pl.Float64)
    texts = [unmistakable(value) if type(value) is _Fraction else value for value in values]
    return pl.Series(texts, dtype=pl.String)


def _frame(name: str, batch: list[tuple[int, Pairs]], names: dict[str, str]) -> pl.DataFrame:
    columns: dict[str, list[str | None]] = {
        column: [None] * len(batch) for column in names.values()
    }
    slots = {key: columns[column] for key, column in names.items()}
    for row, (number, pairs) in enumerate(batch):
        for key, value in pairs:
            slot = slots.get(key)
            if slot is None or value is None:
                continue
            if isinstance(value, list):
                raise InputError(
                    f"{name!r} has a list or an object as {key} in line {number:,}.",
                    "Use one text or one number per line.",
                )
            slot[row] = str(value).lower() if isinstance(value, bool) else value
    try:
        return pl.DataFrame(
            [
                _amounts(values).alias(column)
                if column in AMOUNTS
                else pl.Series(column, values, dtype=pl.String)
                for column, values in columns.items()
            ]
        )
    except UnicodeEncodeError as error:
        first, last = batch[0][0], batch[-1][0]
        raise InputError(
            f"{name!r} contains invalid Unicode between lines {first:,} and {last:,}: "
            f"{error.reason}.",
            _FORM,
        ) from error
