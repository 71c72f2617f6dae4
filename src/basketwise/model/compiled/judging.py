"""Which of a few plain lines are used, why others are not, and in which order.

The rules are those of :mod:`basketwise.etl.lines.reasons` and :mod:`basketwise.etl.lines.repeats`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from basketwise.etl.lines.cleaning import NO_WEEK
from basketwise.etl.lines.reasons import LARGEST, TOO_LARGE, WEEKS
from basketwise.etl.lines.repeats import duplicates_policy
from basketwise.etl.lines.rules import Rules
from basketwise.features.basket import ENCODED, TIMES
from basketwise.model.compiled.plain import Columns, NotPlainError, as_ids
from basketwise.schema import (
    BASKET_ID,
    COLUMN_NAMES,
    HIERARCHY,
    LABEL,
    PROD_CODE,
    QUANTITY,
    SHOP_WEEK,
    SPEND,
)

WEEKS_A_YEAR = 54
READS = (BASKET_ID, PROD_CODE, *HIERARCHY, SPEND, QUANTITY, *TIMES.values(), *ENCODED.values())
"""What is read of accepted lines: by the feature groups, and by the product index."""


class Rejected(NamedTuple):
    """A rejected line: its number, from 1, the text of its basket's id, and the reason."""

    row: int
    basket: str | None
    reason: str


def by_reason(rejected: Iterable[Rejected]) -> dict[str, int]:
    """Count rejected lines by reason, sorted by name."""
    return dict(sorted(Counter(line.reason for line in rejected).items()))


@dataclass(frozen=True)
class Judged:
    """Accepted lines, as :func:`basketwise.etl.lines.order.in_order` sorts, and rejected ones."""

    columns: Columns
    """Those of :data:`READS`."""
    rejected: list[Rejected]

    def baskets(self) -> Iterator[tuple[int | str, int, int]]:
        """Yield each basket's id, and where its lines start and end."""
        start = 0
        for key, lines in groupby(self.columns[BASKET_ID]):
            end = start + sum(1 for _ in lines)
            yield key, start, end
            start = end


def judge(given: Columns, rules: Rules) -> Judged:
    """Accept, refuse and sort lines.

    Raises
    ------
    NotPlainError
        If there is no line left, a basket is of two weeks, or returns are to be netted.
    """
    height = len(given[BASKET_ID])
    nothing = [None] * height
    columns = {name: given.get(name, nothing) for name in COLUMN_NAMES if name != LABEL}
    if SHOP_WEEK not in given:
        columns[SHOP_WEEK] = [NO_WEEK] * height
    rejected, used = [], []
    for row, reason in enumerate(_reasons(columns, rules, weeks=SHOP_WEEK in given)):
        if reason is None:
            used.append(row)
        else:
            rejected.append(Rejected(row + 1, columns[BASKET_ID][row], reason))
    ids = as_ids([columns[BASKET_ID][row] for row in used])
    lines = list(zip(used, ids, (columns[PROD_CODE][row] for row in used), strict=True))
    if len({(key, columns[SHOP_WEEK][row]) for row, key, _ in lines}) > len(set(ids)):
        raise NotPlainError
    if rules.returns == "net" and any(
        columns[QUANTITY][row] < 0 or columns[SPEND][row] < 0 for row in used
    ):
        raise NotPlainError
    if len({line[1:] for line in lines}) < len(lines):
        lines, copies = _without_copies(lines, columns, rules)
        rejected += [Rejected(row + 1, columns[BASKET_ID][row], "duplicate_line") for row in copies]
    else:
        lines.sort(key=lambda line: line[1:])
    if not lines:
        raise NotPlainError
    order = [row for row, *_ in lines]
    accepted: Columns = {name: [columns[name][row] for row in order] for name in READS}
    accepted[BASKET_ID] = [key for _, key, _ in lines]
    return Judged(accepted, rejected)


def _reasons(columns: Columns, rules: Rules, *, weeks: bool) -> Iterator[str | None]:
    """Yield the first reason that applies to each line."""
    first, last = WEEKS
    returns = rules.returns != "reject"
    for basket, product, spend, quantity, week in zip(
        *(columns[name] for name in (BASKET_ID, PROD_CODE, SPEND, QUANTITY, SHOP_WEEK)), strict=True
    ):
        if basket is None:
            yield "missing_basket_id"
        elif product is None:
            yield "missing_prod_code"
        elif spend is None:
            yield "missing_spend"
        elif quantity is None:
            yield "missing_quantity"
        elif abs(spend) > LARGEST:
            yield TOO_LARGE[SPEND]
        elif abs(quantity) > LARGEST:
            yield TOO_LARGE[QUANTITY]
        elif quantity == 0 or (quantity < 0 and not returns):
            yield "quantity_not_positive"
        elif spend < 0 and not returns:
            yield "spend_negative"
        elif not weeks:
            yield None
        elif week is None:
            yield "missing_shop_week"
        elif not (first <= week <= last and 1 <= week % 100 <= WEEKS_A_YEAR):
            yield "shop_week_not_yyyyww"
        else:
            yield None


_Line = tuple[int, Any, str]
"""Row, basket, product."""


def _without_copies(
    lines: Sequence[_Line], columns: Columns, rules: Rules
) -> tuple[list[_Line], list[int]]:
    """Sort lines of which products repeat within a basket; return the rows of copies too."""
    others = [values for name, values in columns.items() if name not in (BASKET_ID, PROD_CODE)]
    whole = {
        line: (*line[1:], *((v[line[0]] is not None, v[line[0]] or 0) for v in others))
        for line in lines
    }
    pieces = all(columns[QUANTITY][row] == 1 for row, *_ in lines)
    kept, copies = list(lines), []
    # Equal lines of one table are pieces, if there can be any.
    if duplicates_policy(rules, pieces=pieces) == "reject":
        first: dict[Any, int] = {}
        for line in lines:
            first.setdefault(whole[line], line[0])
        kept = [line for line in lines if first[whole[line]] == line[0]]
        copies = [line[0] for line in lines if first[whole[line]] != line[0]]
    return sorted(kept, key=lambda line: whole[line]), copies
