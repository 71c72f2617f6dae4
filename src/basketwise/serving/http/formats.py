"""How an answer is written: which types a client accepts, and the text of each."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from basketwise.schema import CERTAINTY, KEY, KNOWN_SHARE, PREDICTED, PROBABILITIES
from basketwise.serving.http.answers import Answer
from basketwise.serving.http.media_types import CSV, JSON, JSON_LINES, SPELLINGS

WRITTEN = (JSON, JSON_LINES, CSV)
ACCEPT = f"Accept {', '.join(WRITTEN[:-1])} or {WRITTEN[-1]}."
COLUMNS = (KEY, PREDICTED, *PROBABILITIES, KNOWN_SHARE, CERTAINTY)
EXPLANATION, ERROR = "explanation", "error"

VERSION_HEADER, SHA256_HEADER = "Basketwise-Model-Version", "Basketwise-Model-Sha256"
REJECTED_HEADER = "Basketwise-Rejected-Lines"


def accepted(accept: str | None, sent: str) -> str | None:
    """Return the type to answer in; None if a client accepts none of those that are written.

    Parameters
    ----------
    accept : str or None
        As in the header.
    sent : str
        The type of the request: JSON Lines are answered in JSON Lines, all else in JSON, unless the
        client prefers another.

    Examples
    --------
    >>> accepted("text/csv, */*;q=0.1", "application/json"), accepted(None, "text/csv")
    ('text/csv', 'application/json')
    >>> accepted("image/png", "application/json") is None
    True
    """
    usual = JSON_LINES if sent == JSON_LINES else JSON
    weights = _weights(accept or "*/*")
    choices = sorted(WRITTEN, key=lambda kind: (-_weight(kind, weights), kind != usual))
    return choices[0] if _weight(choices[0], weights) > 0 else None


def headers(answer: Answer) -> dict[str, str]:
    """Return what the headers of an answer say, of whatever type it is."""
    identity = answer.served.identity
    named = {VERSION_HEADER: identity["version"], SHA256_HEADER: identity["sha256"]}
    stated = {name: value for name, value in named.items() if value}
    return {**stated, REJECTED_HEADER: str(sum(answer.rejected.values()))}


def written(answer: Answer, kind: str) -> str:
    """Write an answer.

    ``application/json``: :meth:`basketwise.serving.http.answers.Answer.document`.
    ``application/jsonlines``: one line per basket of the request, in its order, each with the
    model's identity and the basket's own rejected lines. ``text/csv``: a header, and one row per
    basket; what could not be scored has an ``error``.
    """
    if kind == CSV:
        return _csv(answer)
    if kind == JSON_LINES:
        return "".join(f"{_json(line)}\n" for line in _lines(answer))
    return _json(answer.document())


def _lines(answer: Answer) -> list[dict[str, Any]]:
    rejected: dict[Any, list[dict[str, Any]]] = {}
    for line in answer.rejected_lines:
        own = {"row": line["row"], "reason": line["reason"]}
        rejected.setdefault(line[KEY], []).append(own)
    identity = answer.served.identity
    return [
        {**outcome, "rejected_lines": rejected.get(outcome.get(KEY), []), "model": identity}
        for outcome in answer.outcomes
    ]


def _csv(answer: Answer) -> str:
    explained = any(EXPLANATION in outcome for outcome in answer.outcomes)
    columns = [*COLUMNS, *([EXPLANATION] if explained else []), ERROR]
    text = io.StringIO()
    rows = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    rows.writeheader()
    rows.writerows(answer.outcomes)
    return text.getvalue()


def _json(document: dict[str, Any]) -> str:
    try:
        # A sixth of the time of Python's; which has the last word where they differ.
        text = to_json(document)
        if text.isascii() and b"NaN" not in text and b"Infinity" not in text:
            return text.decode()
    except PydanticSerializationError:
        pass
    return json.dumps(document, allow_nan=False, separators=(",", ":"))


def _weights(accept: str) -> dict[str, float]:
    """Return the weight of each range of types that a header names."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = (word.strip().lower() for word in part.split(";"))
        if not name:
            continue
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        kind = SPELLINGS.get(name, name)
        weights[kind] = max(weight, weights.get(kind, 0.0))
    return weights or {"*/*": 1.0}


def _weight(kind: str, weights: dict[str, float]) -> float:
    """Return the weight of a type: that of the most specific range it is in."""
    for name in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if name in weights:
            return weights[name]
    return 0.0
