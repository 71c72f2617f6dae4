"""Scoring one request: what is answered to each of its baskets.

The lines of a request take the same path as the files of a batch: the same cleaning and scoring.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import polars as pl

from basketwise.errors import InputError
from basketwise.etl.cleaning import clean, settle
from basketwise.etl.layout import settle_frame
from basketwise.etl.reasons import REASON, ROW, none_usable
from basketwise.explain.contributions import with_products
from basketwise.features.product_index.table import CLASS
from basketwise.features.unseen import Unseen
from basketwise.model.scoring import NO_HISTORY, Model
from basketwise.schema import BASKET_ID, KEY
from basketwise.serving.http.baskets import (
    BODY,
    JSON_LINES,
    BadLine,
    Basket,
    Request,
    Table,
    table_of,
    text_id,
)
from basketwise.serving.http.served import Served

LISTED = 100
"""Rejected lines that an answer lists; all are counted."""

ATTEMPTS = 64
"""Scorings that find the lines of a JSON Lines body that spoil the others."""

Outcome = dict[str, Any]
"""Of one basket: its prediction, or ``basket_id``, ``error`` and ``hint``."""


@dataclass(frozen=True)
class Answer:
    """What is answered to one request.

    Attributes
    ----------
    served
        The model that scored it.
    outcomes
        One per basket: in the order of the request, for CSV in the order of ids, all text then.
    rejected
        Rejected lines by reason.
    rejected_lines
        The first :data:`LISTED` of them: ``basket_id`` as it was sent, ``row``, ``reason``. The row
        is the number of the line within its basket, for CSV within the body.
    incomplete
        Ids of the scored baskets that lost lines.
    unseen
        What the model does not know.
    kind
        Media type of the request.
    lines
        The accepted lines, in one or several frames: see :meth:`class_counts`.
    """

    served: Served
    outcomes: list[Outcome]
    rejected: dict[str, int]
    rejected_lines: list[dict[str, Any]]
    incomplete: list[str | int]
    unseen: Unseen
    kind: str
    lines: tuple[pl.DataFrame, ...] = ()

    @property
    def predictions(self) -> list[Outcome]:
        """The outcomes of the baskets that were scored."""
        return [outcome for outcome in self.outcomes if "error" not in outcome]

    def class_counts(self) -> dict[str, Counter[str]]:
        """Count the lines of each basket by the class of their product, by the basket's id as text.

        Empty for a model without a product index. It is worked out when it is asked for, which
        need not be where a client waits.
        """
        lookup = self.served.model.lookup
        counts: dict[str, Counter[str]] = {}
        if lookup is not None:
            for lines in self.lines:
                indexed = lookup.score(lines)
                for basket, label in zip(indexed[BASKET_ID], indexed[CLASS], strict=True):
                    counts.setdefault(str(basket), Counter())[label] += 1
        return counts

    def document(self) -> dict[str, Any]:
        """Return all of it as one JSON object."""
        failed = [outcome for outcome in self.outcomes if "error" in outcome]
        document: dict[str, Any] = {
            "model": self.served.identity,
            "predictions": self.predictions,
            "rejected": self.rejected,
            "rejected_lines": self.rejected_lines,
            "incomplete": self.incomplete,
            "unseen": self.unseen.document(),
        }
        if self.served.model.lacks_history:
            document["history"] = NO_HISTORY
        if self.kind == JSON_LINES:
            document["errors"] = failed
        document["unscored"] = [outcome[KEY] for outcome in failed if KEY in outcome]
        return document


def answer(request: Request, served: Served, *, explain: bool = False) -> Answer:
    """Score the baskets of a request.

    Parameters
    ----------
    request : Request
        From :func:`basketwise.serving.http.baskets.read_request`.
    served : Served
        The model.
    explain : bool
        Whether each prediction gets ``explanation`` and ``products``, see
        :meth:`basketwise.model.scoring.Model.score_and_explain` and
        :func:`basketwise.explain.contributions.with_products`.

    Returns
    -------
    Answer
        A prediction is ``basket_id, predicted_sensitivity, p_low, p_medium, p_high, known_share,
        certainty`` as from :meth:`basketwise.model.scoring.Model.predict`.

    Raises
    ------
    InputError
        If a required column is absent, or no line can be used. A line of JSON Lines spoils itself
        alone: its outcome says why.
    """
    if request.table is not None:
        batch = _usable(_score(served.model, request.table, explain=explain))
        return _answer_table(batch, served, request.kind)
    baskets = [basket for basket in request.baskets if isinstance(basket, Basket)]
    if request.kind != JSON_LINES:
        batch = _usable(_score(served.model, baskets, explain=explain))
        return _answer_baskets(baskets, [(baskets, batch)], {}, served, request.kind)
    groups = list(_score_apart(served.model, baskets, explain=explain))
    scored = [(own, batch) for own, batch in groups if isinstance(batch, _Batch)]
    failed = {
        basket.text: batch
        for own, batch in groups
        if isinstance(batch, InputError)
        for basket in own
    }
    return _answer_baskets(request.baskets, scored, failed, served, request.kind)


@dataclass(frozen=True)
class _Batch:
    """What the model makes of lines that are scored together: rows by text id."""

    rows: dict[str, Outcome]
    rejected: pl.DataFrame
    unseen: Unseen
    lines: pl.DataFrame


def _score(model: Model, lines: Table | Sequence[Basket], *, explain: bool) -> _Batch:
    """Clean and score lines: the one place where a request meets the model."""
    if isinstance(lines, Table):
        frame, rows, malformed = lines.frame, lines.rows, lines.malformed
    else:
        frame, rows, malformed = table_of(list(lines)), None, None
    rules = settle_frame(frame, model.rules)
    cleaned = settle(clean(frame, rules, source=BODY, rows=rows, malformed=malformed), rules)
    unseen = Unseen()
    if cleaned.lines.is_empty():
        return _Batch({}, cleaned.rejected, unseen, cleaned.lines)
    try:
        if explain:
            scored, products = model.score_and_explain(cleaned.lines, (), cleaned.names, unseen)
            scored = with_products(scored, products)
        else:
            scored = model.score(cleaned.lines, unseen)
    except InputError as error:
        # The lines are good: it is the second model, which cannot be opened.
        raise RuntimeError(str(error)) from error
    outcomes = {str(row[KEY]): row for row in scored.to_dicts()}
    return _Batch(outcomes, cleaned.rejected, unseen, cleaned.lines)


def _usable(batch: _Batch) -> _Batch:
    """Refuse lines of which none can be used."""
    if batch.lines.is_empty():
        raise none_usable(batch.rejected.height, _counts(batch.rejected))
    return batch


def _score_apart(
    model: Model, baskets: list[Basket], *, explain: bool
) -> Iterator[tuple[list[Basket], _Batch | InputError]]:
    """Score baskets together; those that cannot be, are searched for by halving.

    After :data:`ATTEMPTS` the search ends, and what is left is refused as it is: a hostile body
    must not be scored basket by basket.
    """
    pending, attempts = [baskets] if baskets else [], 0
    while pending:
        group = pending.pop()
        attempts += 1
        try:
            yield group, _score(model, group, explain=explain)
        except InputError as error:
            if len(group) == 1 or attempts + len(pending) + 2 > ATTEMPTS:
                yield group, error
            else:
                half = len(group) // 2
                pending += [group[half:], group[:half]]


def _answer_table(batch: _Batch, served: Served, kind: str) -> Answer:
    ids = dict.fromkeys(batch.rows)
    lines: list[dict[str, Any]] = []
    damaged: set[str] = set()
    for basket, row, reason in batch.rejected.select(BASKET_ID, ROW, REASON).iter_rows():
        if basket is not None:
            damaged.add(basket)
            ids.setdefault(basket)
        if len(lines) < LISTED:
            lines.append({KEY: basket, "row": row, "reason": reason})
    outcomes = [
        batch.rows[key] | {KEY: key} if key in batch.rows else _unscored(key, {}) for key in ids
    ]
    incomplete: list[str | int] = [key for key in batch.rows if key in damaged]
    counts = _counts(batch.rejected)
    return Answer(served, outcomes, counts, lines, incomplete, batch.unseen, kind, (batch.lines,))


def _answer_baskets(
    baskets: Sequence[Basket | BadLine],
    scored: list[tuple[list[Basket], _Batch]],
    failed: Mapping[str, InputError],
    served: Served,
    kind: str,
) -> Answer:
    rows: dict[str, Outcome] = {}
    rejected, lines, unseen = Counter[str](), list[dict[str, Any]](), Unseen()
    damaged: dict[str, Counter[str]] = {}
    for own, batch in scored:
        rows |= batch.rows
        unseen.take(batch.unseen)
        if batch.rejected.is_empty():
            continue
        starts = [0, *accumulate(len(basket.rows) for basket in own)]
        for row, reason in batch.rejected.select(ROW, REASON).iter_rows():
            number = bisect_right(starts, row - 1) - 1
            basket = own[number]
            rejected[reason] += 1
            damaged.setdefault(basket.text, Counter())[reason] += 1
            if len(lines) < LISTED:
                lines.append({KEY: basket.key, "row": row - starts[number], "reason": reason})
    outcomes = []
    for item in baskets:
        if isinstance(item, BadLine):
            outcomes.append(_failed(item.key, item.headline, item.hint))
        elif item.text in rows:
            outcomes.append(rows[item.text] | {KEY: item.key})
        elif item.text in failed:
            error = failed[item.text]
            outcomes.append(_failed(item.key, error.headline, error.hint))
        else:
            outcomes.append(_unscored(item.key, damaged.get(item.text, {})))
    incomplete = [
        row[KEY] for row in outcomes if "error" not in row and text_id(row[KEY]) in damaged
    ]
    counts = dict(sorted(rejected.items()))
    accepted = tuple(batch.lines for _, batch in scored)
    return Answer(served, outcomes, counts, lines, incomplete, unseen, kind, accepted)


def _counts(rejected: pl.DataFrame) -> dict[str, int]:
    return dict(rejected[REASON].value_counts().sort(REASON).iter_rows())


def _failed(key: str | int | None, headline: str, hint: str) -> Outcome:
    known = {} if key is None else {KEY: key}
    return {**known, "error": headline, "hint": hint}


def _unscored(key: str | int, reasons: Mapping[str, int]) -> Outcome:
    if not reasons:
        return _failed(key, "None of its lines can be used.", "The reasons are with its lines.")
    error = none_usable(sum(reasons.values()), dict(reasons))
    return _failed(key, error.headline, error.hint)
