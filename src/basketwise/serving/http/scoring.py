"""The one place where the lines of a request meet the model.

They take the same path as the files of a batch, or the shorter one of few plain lines, which gives
the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl

from basketwise.errors import InputError
from basketwise.etl.lines.cleaning import clean, settle
from basketwise.etl.lines.layout import settle_frame
from basketwise.etl.lines.reasons import none_usable
from basketwise.explain.contributions import with_products
from basketwise.features.product_index.table import CLASS
from basketwise.features.unseen import Unseen
from basketwise.model.compiled.answering import Answer
from basketwise.model.compiled.judging import Rejected, by_reason
from basketwise.model.scoring import Model
from basketwise.schema import BASKET_ID, KEY, REASON, ROW
from basketwise.serving.http.baskets import BODY, Lines, Table, table_of

Outcome = dict[str, Any]
"""Of one basket: its prediction, or ``basket_id``, ``error`` and ``hint``."""


@dataclass(frozen=True)
class Batch:
    """What the model makes of lines that are scored together.

    Attributes
    ----------
    rows
        The predictions by text id.
    rejected
        The lines that were not used.
    unseen
        What the model does not know.
    lines
        The accepted lines; None where they were scored without a frame.
    compiled
        If so, what was answered.
    """

    rows: dict[str, Outcome]
    rejected: list[Rejected]
    unseen: Unseen
    lines: pl.DataFrame | None = None
    compiled: Answer | None = None

    @property
    def reasons(self) -> dict[str, int]:
        """Rejected lines by reason, sorted by name."""
        return by_reason(self.rejected)

    def class_counts(self, model: Model) -> dict[str, Counter[str]]:
        """Count the lines of each basket by the class of their product, by the basket's id as text.

        Empty for a model without a product index.
        """
        if self.compiled is not None:
            return self.compiled.class_counts()
        counts: dict[str, Counter[str]] = {}
        if self.lines is None or model.lookup is None:
            return counts
        indexed = model.lookup.score(self.lines)
        for basket, label in zip(indexed[BASKET_ID], indexed[CLASS], strict=True):
            counts.setdefault(str(basket), Counter())[label] += 1
        return counts


def score(model: Model, lines: Lines, *, explain: bool) -> Batch:
    """Clean and score lines.

    Raises
    ------
    InputError
        If a required column is absent, or the values cannot be read.
    """
    if isinstance(lines, Table):
        return _framed(model, lines, explain=explain)
    if not explain and model.compiled is not None:
        with _good_lines():
            answer = model.compiled.score(lines)
        if answer is not None:
            return _compiled(answer)
    return _framed(model, Table(table_of(lines)), explain=explain)


def usable(batch: Batch) -> Batch:
    """Refuse lines of which none can be used.

    Raises
    ------
    InputError
        Saying why.
    """
    if batch.lines is not None and batch.lines.is_empty():
        raise none_usable(len(batch.rejected), batch.reasons)
    return batch


@contextmanager
def _good_lines() -> Iterator[None]:
    """Take errors for the server's own: where lines are good, a second model cannot be opened."""
    try:
        yield
    except InputError as error:
        raise RuntimeError(str(error)) from error


def _compiled(answer: Answer) -> Batch:
    rows = {str(row[KEY]): row for row in answer.rows()}
    return Batch(rows, answer.rejected, answer.unseen, compiled=answer)


def _framed(model: Model, table: Table, *, explain: bool) -> Batch:
    rules = settle_frame(table.frame, model.rules)
    judged = clean(
        table.frame,
        rules,
        source=BODY,
        rows=table.rows,
        malformed=table.malformed,
        blanks=table.blanks,
    )
    cleaned = settle(judged, rules)
    refused = cleaned.rejected.select(ROW, BASKET_ID, REASON)
    rejected, unseen = [Rejected(*line) for line in refused.iter_rows()], Unseen()
    if cleaned.lines.is_empty():
        return Batch({}, rejected, unseen, cleaned.lines)
    with _good_lines():
        if explain:
            scored, products = model.score_and_explain(cleaned.lines, (), cleaned.names, unseen)
            scored = with_products(scored, products)
        else:
            scored = model.score(cleaned.lines, unseen)
    return Batch({str(row[KEY]): row for row in scored.to_dicts()}, rejected, unseen, cleaned.lines)
