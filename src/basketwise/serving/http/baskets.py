"""The baskets of a request: JSON, JSON Lines with one basket a line, or CSV.

Nothing is judged here: values stay as they were sent, and are typed and refused where the lines of
files are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType
from typing import Any

import polars as pl
from pydantic_core import from_json

from basketwise.config import DataConfig, OwnColumns
from basketwise.errors import InputError
from basketwise.etl.raw.csv_reading import read_csv
from basketwise.etl.raw.text import EncodingError
from basketwise.schema import BASKET_ID
from basketwise.serving.http.bounds import (
    MAX_BAD_LINES,
    MAX_ID,
    MAX_TEXT,
    Bounds,
    MalformedError,
    refuse_excess,
    too_long,
)
from basketwise.serving.http.lines import Names, Row, names_of, read_lines
from basketwise.serving.http.media_types import CSV, JSON, JSON_LINES, SEND, media_type
from basketwise.serving.http.uniform import LEAST, Uniform, read_uniform
from basketwise.tables import read_table

BODY = "body"
"""Name of a request's lines in messages."""

FORM = (
    'Send {"baskets": [{"basket_id": "1", "lines": [{"PROD_CODE": "PRD1", "SPEND": 1.5, '
    '"QUANTITY": 1}]}]}; other columns of the raw lines may be given too.'
)
LINE_FORM = (
    'Send one basket a line: {"basket_id": "1", "lines": [{"PROD_CODE": "PRD1", "SPEND": 1.5, '
    '"QUANTITY": 1}]}.'
)


@dataclass(frozen=True)
class Basket:
    """One basket: its id as it was sent, and its number of lines."""

    key: str | int
    height: int

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
    """Lines as a frame, one row each; CSV as :class:`basketwise.etl.raw.raw_frame.RawFrame`.

    ``blanks``: whether texts may be empty, or have blanks around them.
    """

    frame: pl.DataFrame
    rows: pl.Series | None = None
    malformed: pl.DataFrame | None = None
    blanks: bool = True


Lines = list[Row] | Table


@dataclass(frozen=True)
class Request:
    """The baskets of one request.

    Attributes
    ----------
    kind
        Media type.
    baskets
        In the order sent; empty for CSV, whose rows may be in any order.
    lines
        Of all baskets, one after the other.
    """

    kind: str
    baskets: tuple[Basket | BadLine, ...]
    lines: Lines


def read_request(
    body: bytes,
    content_type: str,
    bounds: Bounds | None = None,
    columns: OwnColumns = MappingProxyType({}),
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
        The model's own names of columns, see :class:`basketwise.etl.lines.rules.Rules`.

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
        return Request(kind, (), _from_csv(body, columns))
    names = names_of(columns)
    return _from_json(body, names) if kind == JSON else _from_json_lines(body, names)


def table_of(rows: list[Row]) -> pl.DataFrame:
    """Return lines as a frame: one row per line, all values as text.

    Raises
    ------
    MalformedError
        If a text is not Unicode.
    """
    try:
        return read_table(rows)
    except InputError as error:
        raise MalformedError(
            "The body contains half a surrogate pair, which is not Unicode.", FORM
        ) from error


def part(lines: Lines, start: int, end: int) -> Lines:
    """Return the lines from ``start`` to before ``end``."""
    if isinstance(lines, Table):
        return Table(lines.frame[start:end], blanks=lines.blanks)
    return lines[start:end]


def text_id(key: str | int) -> str:
    """Return an id as clean lines contain it."""
    return str(key).strip()


@dataclass(frozen=True)
class _Sent:
    """A basket as it was sent; ``where`` is what errors call it."""

    key: str | int
    lines: list[Any]
    where: str

    def rows(self, names: Names, form: str) -> list[Row]:
        where = f"{self.where[0].lower()}{self.where[1:]} ({self.key!r})"
        return list(read_lines(self.lines, self.key, names, where, form))

    @property
    def basket(self) -> Basket:
        return Basket(self.key, len(self.lines))


def _from_json(body: bytes, names: Names) -> Request:
    if len(body) >= LEAST and (uniform := read_uniform(body, names)):
        return _uniform(uniform, JSON)
    document = parsed(body, "The body", FORM)
    entries = document.get("baskets") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError("The body is not an object with a list of 'baskets'.", FORM)
    baskets: dict[str, Basket] = {}
    rows: list[Row] = []
    for number, entry in enumerate(entries, start=1):
        sent = _sent(entry, f"Basket {number}", FORM)
        if text_id(sent.key) in baskets:
            raise InputError(
                f"Basket {number} has the same id as an earlier one: {sent.key!r}.", FORM
            )
        baskets[text_id(sent.key)] = sent.basket
        rows += sent.rows(names, FORM)
    return Request(JSON, tuple(baskets.values()), rows)


def _from_json_lines(body: bytes, names: Names) -> Request:
    lines = [line for line in body.split(b"\n") if line.strip()] if len(body) >= LEAST else []
    if lines and (uniform := read_uniform(b'{"baskets": [%s]}' % b",".join(lines), names)):
        return _uniform(uniform, JSON_LINES)
    baskets: list[Basket | BadLine] = []
    rows: list[Row] = []
    seen: set[str] = set()
    bad = 0
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line.strip():
            continue
        where, entry = f"Line {number}", None
        try:
            entry = parsed(line, where, LINE_FORM)
            sent = _sent(entry, where, LINE_FORM)
            own = sent.rows(names, LINE_FORM)
            if text_id(sent.key) in seen:
                raise InputError(
                    f"{where} has the same id as an earlier one: {sent.key!r}.",
                    "Send each basket whole, in one line.",
                )
            if b"\\u" in line:
                # Half a character can only be written so, and would spoil all other lines.
                table_of(own)
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
            seen.add(text_id(sent.key))
            rows += own
            baskets.append(sent.basket)
    if not baskets:
        raise MalformedError("The body contains no baskets.", LINE_FORM)
    return Request(JSON_LINES, tuple(baskets), rows)


def _uniform(uniform: Uniform, kind: str) -> Request:
    baskets = map(Basket, uniform.keys, uniform.heights)
    return Request(kind, tuple(baskets), Table(uniform.frame, blanks=uniform.blanks))


def parsed(text: bytes, what: str, form: str) -> Any:
    """Return the value that JSON stands for; ``what`` it is and its ``form`` is said in the error.

    Raises
    ------
    MalformedError
        If it is not JSON.
    """
    try:
        return from_json(text)
    except ValueError:
        # It is strict about encodings, depth and halves of characters; Python has the last word.
        pass
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        # Its own text calls every line of many the first.
        where = f"character {error.pos + 1:,}"
        raise MalformedError(f"{what} is not JSON: {error.msg}, {where}.", form) from error
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{what} is not JSON: {error}.", form) from error


def _sent(entry: Any, where: str, form: str) -> _Sent:
    key = entry.get("basket_id") if isinstance(entry, dict) else None
    if isinstance(key, bool) or not isinstance(key, str | int) or not str(key).strip():
        raise InputError(f"{where} has no 'basket_id' that is a text or an integer.", form)
    if len(str(key)) > MAX_ID:
        raise InputError(f"{where} has a 'basket_id' of more than {MAX_ID} characters.", form)
    lines = entry.get("lines")
    if not isinstance(lines, list) or not lines:
        raise InputError(f"{where} ({key!r}) has no list of 'lines'.", form)
    return _Sent(key, lines, where)


def _from_csv(body: bytes, columns: OwnColumns) -> Table:
    data = DataConfig().model_copy(update={"columns": dict(columns)})
    try:
        frames = list(read_csv(BytesIO(body), BODY, data, labelled=False))
    except EncodingError as error:
        # No setting helps who sends a body.
        raise MalformedError(error.headline, SEND) from error
    if not frames:
        raise InputError("The body contains no till lines.", FORM)
    frame = pl.concat([raw.frame for raw in frames])
    longest = frame.select(pl.col(pl.String).str.len_chars().max())
    for column, length in zip(longest.columns, longest.row(0), strict=True):
        limit = MAX_ID if column == BASKET_ID else MAX_TEXT
        if (length or 0) > limit:
            raise too_long(f"A line's {column} has", limit)
    return Table(
        frame,
        pl.concat([raw.rows for raw in frames]),
        pl.concat([raw.malformed for raw in frames]),
    )
