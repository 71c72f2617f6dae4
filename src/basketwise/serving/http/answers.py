"""What is answered to each basket of a request."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from basketwise.errors import InputError
from basketwise.etl.lines.reasons import none_usable
from basketwise.features.unseen import Unseen
from basketwise.model.scoring import NO_HISTORY, Model
from basketwise.schema import KEY
from basketwise.serving.http.baskets import BadLine, Basket, Lines, Request, part, text_id
from basketwise.serving.http.media_types import CSV, JSON_LINES
from basketwise.serving.http.scoring import Batch, Outcome, score, usable
from basketwise.serving.http.served import Served

LISTED = 100
"""Rejected lines that an answer lists; all are counted."""

ATTEMPTS = 64
"""Scorings that find the lines of a JSON Lines body that spoil the others."""


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
    batches
        What was scored together.
    """

    served: Served
    outcomes: list[Outcome]
    rejected: dict[str, int]
    rejected_lines: list[dict[str, Any]]
    incomplete: list[str | int]
    unseen: Unseen
    kind: str
    batches: tuple[Batch, ...] = ()

    @property
    def predictions(self) -> list[Outcome]:
        """The outcomes of the baskets that were scored."""
        return [outcome for outcome in self.outcomes if "error" not in outcome]

    @property
    def unscored(self) -> list[str | int]:
        """Ids of the baskets that were not."""
        failed = [outcome for outcome in self.outcomes if "error" in outcome]
        return [outcome[KEY] for outcome in failed if KEY in outcome]

    def class_counts(self) -> dict[str, Counter[str]]:
        """Count the lines of each basket by the class of their product, by the basket's id as text.

        Empty for a model without a product index. It is worked out when it is asked for, which
        need not be where a client waits.
        """
        counts: dict[str, Counter[str]] = {}
        for batch in self.batches:
            counts |= batch.class_counts(self.served.model)
        return counts

    def document(self) -> dict[str, Any]:
        """Return all of it as one JSON object."""
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
            document["errors"] = [outcome for outcome in self.outcomes if "error" in outcome]
        document["unscored"] = self.unscored
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
    if request.kind == CSV:
        batch = usable(score(served.model, request.lines, explain=explain))
        return _answer_table(batch, served, request.kind)
    baskets = [basket for basket in request.baskets if isinstance(basket, Basket)]
    if request.kind != JSON_LINES:
        batch = usable(score(served.model, request.lines, explain=explain))
        return _answer_baskets(baskets, [(baskets, batch)], {}, served, request.kind)
    groups = list(_score_apart(served.model, baskets, request.lines, explain=explain))
    scored = [(own, batch) for own, batch in groups if isinstance(batch, Batch)]
    failed = {
        basket.text: batch
        for own, batch in groups
        if isinstance(batch, InputError)
        for basket in own
    }
    return _answer_baskets(request.baskets, scored, failed, served, request.kind)


def _score_apart(
    model: Model, baskets: list[Basket], lines: Lines, *, explain: bool
) -> Iterator[tuple[list[Basket], Batch | InputError]]:
    """Score baskets together; those that cannot be, are searched for by halving.

    After :data:`ATTEMPTS` the search ends, and what is left is refused as it is: a hostile body
    must not be scored basket by basket.
    """
    starts = _starts(baskets)
    pending, attempts = [(0, len(baskets))] if baskets else [], 0
    while pending:
        first, end = pending.pop()
        attempts += 1
        try:
            batch = score(model, part(lines, starts[first], starts[end]), explain=explain)
            yield baskets[first:end], batch
        except InputError as error:
            if end == first + 1 or attempts + len(pending) + 2 > ATTEMPTS:
                yield baskets[first:end], error
            else:
                middle = (first + end) // 2
                pending += [(middle, end), (first, middle)]


def _starts(baskets: Sequence[Basket]) -> list[int]:
    """Return where the lines of each basket start, and where the last ones end."""
    return [0, *accumulate(basket.height for basket in baskets)]


def _answer_table(batch: Batch, served: Served, kind: str) -> Answer:
    ids = dict.fromkeys(batch.rows)
    lines: list[dict[str, Any]] = []
    damaged: set[str] = set()
    for row, basket, reason in batch.rejected:
        if basket is not None:
            damaged.add(basket)
            ids.setdefault(basket)
        if len(lines) < LISTED:
            lines.append({KEY: basket, "row": row, "reason": reason})
    outcomes = [
        batch.rows[key] | {KEY: key} if key in batch.rows else _unscored(key, {}) for key in ids
    ]
    incomplete: list[str | int] = [key for key in batch.rows if key in damaged]
    return Answer(served, outcomes, batch.reasons, lines, incomplete, batch.unseen, kind, (batch,))


def _answer_baskets(
    baskets: Sequence[Basket | BadLine],
    scored: list[tuple[list[Basket], Batch]],
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
        if not batch.rejected:
            continue
        starts = _starts(own)
        for row, _, reason in batch.rejected:
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
            continue
        text = item.text
        if text in rows:
            outcomes.append(rows[text] | {KEY: item.key})
        elif text in failed:
            error = failed[text]
            outcomes.append(_failed(item.key, error.headline, error.hint))
        else:
            outcomes.append(_unscored(item.key, damaged.get(text, {})))
    scored_rows = (row for row in outcomes if damaged and "error" not in row)
    incomplete = [row[KEY] for row in scored_rows if text_id(row[KEY]) in damaged]
    counts = dict(sorted(rejected.items()))
    batches = tuple(batch for _, batch in scored)
    return Answer(served, outcomes, counts, lines, incomplete, unseen, kind, batches)


def _failed(key: str | int | None, headline: str, hint: str) -> Outcome:
    known = {} if key is None else {KEY: key}
    return {**known, "error": headline, "hint": hint}


def _unscored(key: str | int, reasons: Mapping[str, int]) -> Outcome:
    if not reasons:
        return _failed(key, "None of its lines can be used.", "The reasons are with its lines.")
    error = none_usable(sum(reasons.values()), dict(reasons))
    return _failed(key, error.headline, error.hint)
