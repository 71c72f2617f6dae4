"""One request to an endpoint: baskets in, their classes and probabilities out.

The lines of a request take the same path as the files of a batch: the same cleaning and scoring.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from io import BytesIO
from typing import Any

import polars as pl

from basketwise.config import DataConfig
from basketwise.errors import InputError
from basketwise.etl.cleaning import clean, settle
from basketwise.etl.layout import settle_frame
from basketwise.etl.reading import read_csv
from basketwise.etl.reasons import none_usable
from basketwise.features.unseen import Unseen
from basketwise.model.scoring import NO_HISTORY, Model
from basketwise.redaction import redacted
from basketwise.schema import BASKET_ID, COLUMNS, KEY, LABEL
from basketwise.tables import read_table

BODY = "body.csv"
"""Name of a request's lines in messages."""

JSON, CSV = "application/json", "text/csv"
CONTENT_TYPES = (JSON, CSV)

_COLUMNS = tuple(column.name for column in COLUMNS if column.name != LABEL)
_FORM = (
    'Send {"baskets": [{"basket_id": "1", "lines": [{"PROD_CODE": "PRD1", "SPEND": 1.5, '
    '"QUANTITY": 1}]}]}; other columns of the raw lines may be given too.'
)


@dataclass(frozen=True)
class Request:
    """Some baskets' lines: one row per line, every value as text, neither typed nor checked yet."""

    lines: pl.DataFrame
    baskets: tuple[str | int, ...] | None
    """Their ids as they were sent, in that order; None where the lines came as CSV."""
    rows: pl.Series | None = None
    malformed: pl.DataFrame | None = None
    """Records that could not be parsed, as :class:`basketwise.etl.reading.RawFrame` has them."""


def media_type(content_type: str) -> str | None:
    """Return which of the types that are read a header names; None for any other.

    Examples
    --------
    >>> media_type("Text/CSV; charset=utf-8")
    'text/csv'
    >>> media_type("text/csv; charset=latin-1") is None
    True
    """
    message = Message()
    message["Content-Type"] = content_type
    charset = str(message.get_param("charset", "utf-8")).lower()
    kind = message.get_content_type()
    return kind if kind in CONTENT_TYPES and charset in ("utf-8", "utf8") else None


def read_request(body: bytes, content_type: str) -> Request:
    """Read the body of a request.

    Parameters
    ----------
    body : bytes
        ``application/json``: ``{"baskets": [{"basket_id": …, "lines": [{column: value, …}]}]}``;
        ``text/csv``: raw lines with a header. The columns are those of raw till lines, in any case;
        the label is not needed, and ignored.
    content_type : str
        As in the header.

    Raises
    ------
    InputError
        If it is of another type, or malformed.
    """
    kind = media_type(content_type)
    if kind is None:
        raise InputError(
            f"The content type {content_type!r} is not supported.",
            f"Send {' or '.join(CONTENT_TYPES)}, in UTF-8.",
        )
    return _from_csv(body) if kind == CSV else _from_json(body)


def answer(request: Request, model: Model) -> dict[str, Any]:
    """Score the baskets of a request.

    Returns
    -------
    dict
        ``predictions``: one object per basket, ``basket_id, predicted_sensitivity, p_low,
        p_medium, p_high, known_share, certainty`` as from
        :meth:`basketwise.model.scoring.Model.predict`; in the order of the request, for CSV in the
        order of weeks and ids.
        ``rejected``: refused lines by reason. ``incomplete``: ids of the scored baskets that lost
        lines. ``unseen``: what the model does not know, see
        :meth:`basketwise.features.unseen.Unseen.document`. ``history``, for a model that needs the
        customers' history and has none: that it does. ``unscored``, for JSON: ids of baskets
        without any line that can be used.

    Raises
    ------
    InputError
        If a required column is absent, or no line can be used.
    """
    rules = settle_frame(request.lines, model.rules)
    checked = clean(
        request.lines,
        rules,
        source=BODY,
        rows=request.rows,
        malformed=request.malformed,
    )
    cleaned = settle(checked, rules)
    if cleaned.lines.is_empty():
        raise none_usable(cleaned.rejected.height, cleaned.reasons)
    unseen = Unseen()
    table = model.score(cleaned.lines, unseen)
    rows = {str(row[KEY]): row for row in table.to_dicts()}
    ids = tuple(rows) if request.baskets is None else request.baskets
    scored = [rows[_text_id(basket)] | {KEY: basket} for basket in ids if _text_id(basket) in rows]
    damaged = set(cleaned.rejected[BASKET_ID])
    document: dict[str, Any] = {
        "predictions": scored,
        "rejected": cleaned.reasons,
        "incomplete": [row[KEY] for row in scored if _text_id(row[KEY]) in damaged],
        "unseen": unseen.document(),
    }
    if model.lacks_history:
        document["history"] = NO_HISTORY
    if request.baskets is not None:
        document["unscored"] = [basket for basket in ids if _text_id(basket) not in rows]
    return document


def write_answer(document: dict[str, Any]) -> str:
    """Write what :func:`answer` returned, as JSON."""
    return json.dumps(document, allow_nan=False)


def refusal(headline: str, hint: str) -> bytes:
    """Return the body of an answer that refuses: JSON, ``error`` and ``hint``."""
    return json.dumps({"error": redacted(headline), "hint": redacted(hint)}).encode()


def _from_json(body: bytes) -> Request:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The body is not JSON: {error}.", _FORM) from error
    entries = document.get("baskets") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError("The body is not an object with a list of 'baskets'.", _FORM)
    rows: list[dict[str, str | None]] = []
    baskets: dict[str, str | int] = {}
    for number, basket in enumerate(entries, start=1):
        key = _id(basket, number)
        if _text_id(key) in baskets:
            raise InputError(f"Basket {number} has the same id as an earlier one: {key!r}.", _FORM)
        baskets[_text_id(key)] = key
        rows += _lines(basket, key, number)
    try:
        return Request(read_table(rows), tuple(baskets.values()))
    except InputError as error:
        raise InputError(f"The body contains text that is not Unicode: {error}.", _FORM) from error


def _from_csv(body: bytes) -> Request:
    frames = list(read_csv(BytesIO(body), BODY, DataConfig(), labelled=False))
    if not frames:
        raise InputError("The body contains no till lines.", _FORM)
    return Request(
        pl.concat([raw.frame for raw in frames]),
        None,
        pl.concat([raw.rows for raw in frames]),
        pl.concat([raw.malformed for raw in frames]),
    )


def _id(basket: Any, number: int) -> str | int:
    key = basket.get("basket_id") if isinstance(basket, dict) else None
    if isinstance(key, bool) or not isinstance(key, str | int) or not str(key).strip():
        raise InputError(f"Basket {number} has no 'basket_id' that is a text or an integer.", _FORM)
    return key


def _text_id(key: str | int) -> str:
    """Return an id as clean lines contain it."""
    return str(key).strip()


def _lines(basket: dict[str, Any], key: str | int, number: int) -> Iterator[dict[str, str | None]]:
    lines = basket.get("lines")
    if not isinstance(lines, list) or not lines:
        raise InputError(f"Basket {number} ({key!r}) has no list of 'lines'.", _FORM)
    for position, line in enumerate(lines, start=1):
        where = f"Line {position} of basket {number} ({key!r})"
        if not isinstance(line, dict):
            raise InputError(f"{where} is not an object.", _FORM)
        row: dict[str, str | None] = {}
        for column, value in line.items():
            name = column.strip().upper()
            if name not in _COLUMNS and (name == LABEL or not isinstance(value, str | int | float)):
                # A column that no model reads; one of text or numbers may be a retailer's own.
                continue
            if name in row:
                raise InputError(f"{where} has the column {name} more than once.", _FORM)
            row[name] = _text(value, f"{where}: {name}")
        if row.get(BASKET_ID) not in (None, str(key)):
            raise InputError(f"{where} has another {BASKET_ID}: {row[BASKET_ID]!r}.", _FORM)
        yield row | {BASKET_ID: str(key)}


def _text(value: Any, where: str) -> str | None:
    """Return a value as it would be written in a raw file."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{where} is neither a text nor a number.", _FORM)
    return str(value)
