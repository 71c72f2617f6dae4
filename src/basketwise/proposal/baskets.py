"""What identifies a basket: one column, or several together."""

from __future__ import annotations

import polars as pl

from basketwise.etl.lines.date_formats import parse_dates
from basketwise.proposal.candidates import Candidate, Choice
from basketwise.proposal.evidence import Column
from basketwise.proposal.names import TILL, name_score
from basketwise.schema import BASKET_ID, SHOP_DATE

_RESTARTS = 0.2
"""Share of receipts with several days or shops from which their numbers are not unique."""


def identify_baskets(choice: Choice, columns: list[Column]) -> None:
    """Find out what a basket is; receipt numbers may start anew every day, in every shop."""
    own = choice.columns.get(BASKET_ID)
    if own is None:
        return
    choice.basket = own.column.values
    named = {
        role: max(
            (c for c in columns if c.name != own.column.name and name_score(role, c.name)),
            key=lambda c: name_score(role, c.name),
            default=None,
        )
        for role in ("STORE_CODE", TILL, SHOP_DATE)
    }
    parts, varying = [], []
    for role, column in named.items():
        if column is None or (role == SHOP_DATE and not column.formats):
            continue
        values = _days(column) if role == SHOP_DATE else column.values
        if 1 - Column(column.name, values).per(choice.basket) > _RESTARTS:
            varying.append(column.name)
            parts.append(column)
    if not varying:
        return
    timed = [column for column in parts if column.is_timed]
    if timed:
        choice.notes.append(
            f"{own.column.name} repeats on several days, and {timed[0].name} has times: add a "
            "column of days, and list both as data.columns.BASKET_ID"
        )
        return
    choice.parts = [*parts, own.column]
    choice.basket = pl.DataFrame([part.values for part in choice.parts]).select(
        pl.concat_str(pl.all(), separator="-").alias(BASKET_ID)
    )[BASKET_ID]
    each = len(choice.basket) / max(choice.basket.n_unique(), 1)
    choice.columns[BASKET_ID] = Candidate(
        BASKET_ID,
        own.column,
        own.score,
        f"{own.column.name} repeats across {' and '.join(varying)}; together {each:.1f} lines each",
    )


def _days(column: Column) -> pl.Series:
    return parse_dates(column.values, column.formats[0]).dt.date().cast(pl.String)
