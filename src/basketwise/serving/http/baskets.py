"""The baskets of a request: JSON, JSON Lines with one basket a line, or CSV.

Nothing is judged here: values stay as they were sent, and are typed and refused where the lines of
files are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType
from typing import Any

import polars as pl

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.reading import read_csv
from basketwise.schema import BASKET_ID, COLUMNS, LABEL
from basketwise.serving.http.bounds import (
    MAX_BAD_LINES,
    MAX_COLUMNS,
    MAX_ID,
    MAX_TEXT,
    Bounds,
    MalformedError,
    refuse_excess,
    too_long,
    too_many_columns,
)
from basketwise.serving.http.media_types import CSV, JSON, SEND, media_type
from basketwise.tables import read_table

BODY = "body.csv"
"""Name of a request's lines in messages."""

FORM = (
    'Send {"baskets": [{"basket_id": "1", "lines": [{"PROD_CODE": "PRD1", "SPEND": 1.5, '
    '"QUANTITY": 1}]}]}; other columns of the raw lines may be given too.'
)
LINE_FORM = (
    'Send one basket a line: {"basket_id": "1", "lines": [{"PROD_CODE": "PRD1", "SPEND": 1.5, '
    '"QUANTITY": 1}]}.'
)

_COLUMNS = frozenset(column.name for column in COLUMNS if column.name != LABEL)

_SPELLED = {spelling: name for name in _COLUMNS for spelling in (name, name.lower())}
"""What the usual spellings of the columns come to."""

_NUMBERS = (int, float)
_VALUES = (str, *_NUMBERS, bool)
"""Types of values that a retailer's own column may have; JSON has no others that are single."""

Row = dict[str, str | None]
"""One line: its values as text, by column in capitals."""


@dataclass(frozen=True)
class Basket:
    """One basket: its id as it was sent, and its lines."""

    key: str | int
    rows: list[Row]

    @property
    def text(self) -> str:
        """The id as clean lines contain it."""
        return text_id(self.key)


@dataclass(frozen=True)
class BadLine:
    """A line of JSON Lines that is no basket, and why; with the id where it has one."""

    headline: str
    hint: str
    key: str | int | None = None


@dataclass(frozen=True)
class Table:
    """The lines of a CSV, every value as text; as :class:`basketwise.etl.reading.RawFrame`."""

    frame: pl.DataFrame
    rows: pl.Series
    malformed: pl.DataFrame


@dataclass(frozen=True)
class Request:
    """The baskets of one request: a CSV's ``table``, or else ``baskets`` in the order sent."""

    kind: str
    baskets: tuple[Basket | BadLine, ...] = ()
    table: Table | None = None


def read_request(
    body: bytes,
    content_type: str,
    bounds: Bounds | None = None,
    columns: Mapping[str, str | tuple[str, ...]] = MappingProxyType({}),
) -> Request:
    """Read the body of a request.

    Parameters
    ----------
    body : bytes
        ``application/json``: ``{"baskets": [{"basket_id": …, "lines": [{column: value, …}]}]}``;
        ``application/jsonlines``: one of these baskets a line; ``text/csv``: raw lines with a
        header. The columns are those of raw till lines, in any case; the label is not needed, and
        ignored.
    content_type : str
        As in the header.
    bounds : Bounds, optional
        What it may contain; compared before anything is parsed. Default: as much as it likes.
    columns : mapping, optional
        The model's own names of columns, see :class:`basketwise.etl.rules.Rules`.

    Raises
    ------
    InputError
        If it is of another type, malformed or too large. A line of JSON Lines that cannot be used
        is none: it becomes a :class:`BadLine`.
    """
    kind = media_type(content_type)
    if kind is None:
        raise InputError(f"The content type {content_type!r} is not supported.", SEND)
    if bounds is not None:
        refuse_excess(body, kind, bounds)
    if kind == CSV:
        return Request(kind, table=_from_csv(body, columns))
    return Request(kind, _from_json(body) if kind == JSON else _from_json_lines(body))


def table_of(baskets: list[Basket]) -> pl.DataFrame:
    """Return the lines of some baskets as a frame: one row per line, all values as text.

    Raises
    ------
    MalformedError
        If a text is not Unicode.
    TooLargeError
        If they have more than :data:`basketwise.serving.http.bounds.MAX_COLUMNS` columns.
    """
    rows = [row for basket in baskets for row in basket.rows]
    if len(set().union(*rows)) > MAX_COLUMNS:
        raise too_many_columns("The request's lines have")
    try:
        return read_table(rows)
    except InputError as error:
        raise MalformedError(
            f"The body contains text that is not Unicode: {error}.", FORM
        ) from error


def text_id(key: str | int) -> str:
    """Return an id as clean lines contain it."""
    return str(key).strip()


def _parsed(text: bytes, what: str, form: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{what} is not JSON: {error}.", form) from error


def _from_json(body: bytes) -> tuple[Basket, ...]:
    document = _parsed(body, "The body", FORM)
    entries = document.get("baskets") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError("The body is not an object with a list of 'baskets'.", FORM)
    baskets: dict[str, Basket] = {}
    for number, entry in enumerate(entries, start=1):
        basket = _basket(entry, f"Basket {number}", FORM)
        if basket.text in baskets:
            raise InputError(
                f"Basket {number} has the same id as an earlier one: {basket.key!r}.", FORM
            )
        baskets[basket.text] = basket
    return tuple(baskets.values())


def _from_json_lines(body: bytes) -> tuple[Basket | BadLine, ...]:
    baskets: list[Basket | BadLine] = []
    seen: set[str] = set()
    bad = 0
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line.strip():
            continue
        where, entry = f"Line {number}", None
        try:
            entry = _parsed(line, where, LINE_FORM)
            basket = _basket(entry, where, LINE_FORM)
            if basket.text in seen:
                raise InputError(
                    f"{where} has the same id as an earlier one: {basket.key!r}.",
                    "Send each basket whole, in one line.",
                )
            if b"\\u" in line:
                # Half a character can only be written so, and would spoil all other lines.
                table_of([basket])
        except InputError as error:
            bad += 1
            if bad > MAX_BAD_LINES:
                raise MalformedError(
                    f"More than {MAX_BAD_LINES:,} lines are no baskets. {error.headline}", LINE_FORM
                ) from error
            key = entry.get("basket_id") if isinstance(entry, dict) else None
            known = key if isinstance(key, str | int) and not isinstance(key, bool) else None
            if known is not None and len(str(known)) > MAX_ID:
                known = None
            baskets.append(BadLine(error.headline, error.hint, known))
        else:
            seen.add(basket.text)
            baskets.append(basket)
    if not baskets:
        raise MalformedError("The body contains no baskets.", LINE_FORM)
    return tuple(baskets)


def _from_csv(body: bytes, columns: Mapping[str, str | tuple[str, ...]]) -> Table:
    data = DataConfig().model_copy(update={"columns": dict(columns)})
    frames = list(read_csv(BytesIO(body), BODY, data, labelled=False))
    if not frames:
        raise InputError("The body contains no till lines.", FORM)
    frame = pl.concat([raw.frame for raw in frames])
    longest = frame.select(pl.col(pl.String).str.len_chars().max())
    for column, length in zip(longest.columns, longest.row(0), strict=True):
        if (length or 0) > MAX_TEXT:
            raise too_long(f"A line's {column} has")
    return Table(
        frame,
        pl.concat([raw.rows for raw in frames]),
        pl.concat([raw.malformed for raw in frames]),
    )


def _basket(entry: Any, where: str, form: str) -> Basket:
    key = entry.get("basket_id") if isinstance(entry, dict) else None
    if isinstance(key, bool) or not isinstance(key, str | int) or not str(key).strip():
        raise InputError(f"{where} has no 'basket_id' that is a text or an integer.", form)
    if len(str(key)) > MAX_ID:
        raise InputError(f"{where} has a 'basket_id' of more than {MAX_ID} characters.", form)
    lines = entry.get("lines")
    if not isinstance(lines, list) or not lines:
        raise InputError(f"{where} ({key!r}) has no list of 'lines'.", form)
    where = f"{where[0].lower()}{where[1:]} ({key!r})"
    return Basket(key, list(_rows(lines, key, where, form)))


def _rows(lines: list[Any], key: str | int, basket: str, form: str) -> Iterator[Row]:
    text = str(key)
    for position, line in enumerate(lines, start=1):
        if not isinstance(line, dict):
            raise InputError(f"Line {position} of {basket} is not an object.", form)
        if len(line) > MAX_COLUMNS:
            raise too_many_columns(f"Line {position} of {basket} has")
        row: Row = {}
        for column, value in line.items():
            if len(column) > MAX_ID:
                continue
            name, kind = _SPELLED.get(column) or column.strip().upper(), type(value)
            if name not in _COLUMNS and (name == LABEL or kind not in _VALUES):
                # A column that no model reads; one of text or numbers may be a retailer's own.
                continue
            if name in row:
                raise InputError(
                    f"Line {position} of {basket} has the column {name[:MAX_ID]} more than once.",
                    form,
                )
            if kind in _NUMBERS:
                value = str(value)
            elif kind is str:
                if len(value) > MAX_TEXT:
                    raise too_long(f"Line {position} of {basket}: {name} has")
            elif value is not None:
                raise InputError(
                    f"Line {position} of {basket}: {name} is neither a text nor a number.", form
                )
            row[name] = value
        if row.get(BASKET_ID) not in (None, text):
            other = str(row[BASKET_ID])[:MAX_ID]
            raise InputError(
                f"Line {position} of {basket} has another {BASKET_ID}: {other!r}.", form
            )
        row[BASKET_ID] = text
        yield row
