"""Baskets as tensors: the lines of a request by column, the answers of its baskets by column.

A basket has any number of lines, which no tensor of baskets can have; so the tensors of a request
have one element per line, and ``BASKET_ID`` says which lines belong together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod
from types import MappingProxyType
from typing import Any

from basketwise.config import OwnColumns
from basketwise.schema import (
    BASKET_ID,
    CERTAINTY,
    COLUMNS,
    KEY,
    KNOWN_SHARE,
    LABEL,
    PREDICTED,
    PROBABILITIES,
    Kind,
)
from basketwise.serving.http.answers import Answer
from basketwise.serving.http.baskets import Basket, Request
from basketwise.serving.http.bounds import (
    MAX_COLUMNS,
    MAX_ID,
    MAX_TEXT,
    Bounds,
    MalformedError,
    TooLargeError,
    too_long,
    too_many_columns,
)
from basketwise.serving.http.lines import Names, Row, names_of, sent_number
from basketwise.serving.http.media_types import JSON

FORM = (
    "Send one element per line in each tensor, and at least BASKET_ID, PROD_CODE, SPEND and "
    'QUANTITY: {"inputs": [{"name": "BASKET_ID", "shape": [2], "datatype": "BYTES", "data": '
    '["1", "1"]}, …]}.'
)
BYTES, FLOAT = "BYTES", "FP64"
NUMBERS = frozenset(
    [*(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)), "FP32", FLOAT]
)
_FLOATS = ("FP32", FLOAT)
_DATATYPES = {Kind.ID: BYTES, Kind.TEXT: BYTES, Kind.INTEGER: "INT32", Kind.NUMBER: FLOAT}

INPUTS = [
    {"name": column.name, "datatype": _DATATYPES[column.kind], "shape": [-1]}
    for column in COLUMNS
    if column.name != LABEL
]
"""What a model takes; numbers may be texts, ids numbers, and all but four columns be absent."""

OUTPUTS = {
    KEY: BYTES,
    PREDICTED: BYTES,
    **dict.fromkeys(PROBABILITIES, FLOAT),
    KNOWN_SHARE: FLOAT,
    CERTAINTY: BYTES,
}
"""What is answered, by name: one element per basket that could be scored."""


def read_tensors(
    document: Any, bounds: Bounds, own_names: OwnColumns = MappingProxyType({})
) -> Request:
    """Return the baskets of the tensors of a request, in the order of their first lines.

    ``own_names`` are the model's own names of columns, as for
    :func:`basketwise.serving.http.baskets.read_request`.

    Raises
    ------
    MalformedError
        If they are no tensors of one length, or there is no ``BASKET_ID``.
    TooLargeError
        If there are too many lines or baskets.
    """
    columns = dict(_tensors(document, names_of(own_names)))
    if len(columns) > MAX_COLUMNS:
        raise too_many_columns("The request has")
    if BASKET_ID not in columns:
        raise MalformedError(f"There is no tensor {BASKET_ID}.", FORM)
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1 or not lengths - {0}:
        raise MalformedError("The tensors are empty, or of different lengths.", FORM)
    if max(lengths) > bounds.lines:
        raise TooLargeError(
            f"The request has more than {bounds.lines:,} lines.", "Split it into several requests."
        )
    rows: dict[str, list[Row]] = {}
    for number, sent in enumerate(columns[BASKET_ID], start=1):
        key = "" if sent is None else str(sent)
        if not key.strip():
            raise MalformedError(f"Element {number} of {BASKET_ID} is empty.", FORM)
        if len(key) > MAX_ID:
            raise too_long(f"Element {number} of {BASKET_ID} has", MAX_ID)
        row = {name: values[number - 1] for name, values in columns.items()}
        rows.setdefault(key.strip(), []).append({**row, BASKET_ID: key.strip()})
    if len(rows) > bounds.baskets:
        raise TooLargeError(
            f"The request has more than {bounds.baskets:,} baskets.",
            "Split it into several requests.",
        )
    baskets = tuple(Basket(key, len(own)) for key, own in rows.items())
    return Request(JSON, baskets, [row for own in rows.values() for row in own])


def wanted_outputs(document: Any) -> list[str]:
    """Return the names of the tensors that a request asks for; by default all.

    Raises
    ------
    MalformedError
        If there is none of such a name.
    """
    asked = document.get("outputs") if isinstance(document, dict) else None
    if asked is None:
        return list(OUTPUTS)
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in _list(asked)]
    unknown = [name for name in names if name not in OUTPUTS]
    if unknown or not names:
        raise MalformedError(
            f"There is no output {json.dumps(unknown[0] if unknown else None)[:80]}.",
            f"Outputs are {', '.join(OUTPUTS)}.",
        )
    return [str(name) for name in names]


def write_tensors(answer: Answer, names: list[str]) -> list[dict[str, Any]]:
    """Return tensors of the baskets that were scored, in their order."""
    rows = answer.predictions
    tensors = []
    for name in names:
        data = [str(row[name]) if name == KEY else row[name] for row in rows]
        if None in data:
            # A model without a product index does not know what it knows.
            continue
        tensors.append(
            {"name": name, "datatype": OUTPUTS[name], "shape": [len(data)], "data": data}
        )
    return tensors


def _tensors(document: Any, names: Names) -> Iterator[tuple[str, list[str | float | None]]]:
    inputs = _list(document.get("inputs") if isinstance(document, dict) else None)
    seen = set()
    for number, tensor in enumerate(inputs, start=1):
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str) or not name.strip():
            raise MalformedError(f"Input {number} has no name.", FORM)
        column = name.strip().upper()
        if column in seen:
            raise MalformedError(f"There is more than one input {column[:80]!r}.", FORM)
        seen.add(column)
        if column != LABEL:
            yield column, _values(tensor, column[:80], amount=column in names.amounts)


def _values(tensor: dict[str, Any], name: str, *, amount: bool) -> list[str | float | None]:
    datatype, shape = tensor.get("datatype"), tensor.get("shape")
    if datatype != BYTES and datatype not in NUMBERS:
        raise MalformedError(
            f"Input {name!r} has no datatype that is read.",
            f"Datatypes are {BYTES}, {', '.join(sorted(NUMBERS))}.",
        )
    if name == BASKET_ID and datatype in _FLOATS:
        raise MalformedError(
            f"Input {name!r} is {datatype}: floats cannot carry 15 digits.",
            f"Send {BASKET_ID} as {BYTES} or INT64.",
        )
    data = [value for part in _list(tensor.get("data")) for value in _flat(part)]
    if (
        not isinstance(shape, list)
        or not shape
        or not all(isinstance(size, int) and size >= 0 for size in shape)
        or prod(shape[1:]) != 1
        or shape[0] != len(data)
    ):
        raise MalformedError(f"The shape of input {name!r} is not that of its data.", FORM)
    return [_value(value, datatype, name, amount=amount) for value in data]


def _flat(part: Any) -> list[Any]:
    """Return the elements of a row: a tensor of shape [n, 1] may be written nested."""
    return part if isinstance(part, list) else [part]


def _value(value: Any, datatype: str, name: str, *, amount: bool) -> str | float | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (isinstance(value, str) if datatype == BYTES else is_number):
        raise MalformedError(f"Input {name!r} has an element that is not of its datatype.", FORM)
    sent: str | float = sent_number(value, amount=amount) if is_number else value
    if isinstance(sent, str) and len(sent) > MAX_TEXT:
        raise too_long(f"Input {name!r} has an element of")
    return sent


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedError("The body has no list of inputs with data.", FORM)
    return value
