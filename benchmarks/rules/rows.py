"""The rows of the table: a name, a title, how its data set is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from basketwise.sampling import draw_lines
from basketwise.schema import COLUMN_NAMES, DEFAULT_GROUPS, FEATURE_GROUPS, QUANTITY, SPEND
from benchmarks.rules import changes, lgsr
from benchmarks.rules.journey import complete_journey
from benchmarks.rules.lines import Made, Source

CUSTOMER = "customer"
"""An optional feature group: what is known of the customer's earlier baskets."""

GENERATED_BASKETS, GENERATED_PRODUCTS = 300_000, 60_000


@dataclass(frozen=True)
class Row:
    """One row; ``make`` makes its data set, ``group`` is a feature group that is switched on."""

    title: str
    make: Callable[[Source], Made]
    group: str | None = None

    @property
    def available(self) -> bool:
        """Whether this version has the feature group."""
        return self.group is None or self.group in FEATURE_GROUPS

    @property
    def settings(self) -> list[str]:
        """Settings that are not the default."""
        if self.group is None:
            return []
        return [f"features.groups={','.join((*DEFAULT_GROUPS, self.group))}"]


def generated() -> Made:
    """Generate lines of a large range: 300,000 baskets in 26 weeks, 60,000 products."""
    lines = draw_lines(baskets=GENERATED_BASKETS, seed=42, products=GENERATED_PRODUCTS)
    return Made(lines.select(pl.col(name) for name in COLUMN_NAMES))


def rows_of(journey: Path | None) -> dict[str, Row]:
    """Return all rows by name; that of Complete Journey only if its folder is known."""
    rows = {"default": Row("own labels, default split", lgsr.default_split)}
    for weeks in (1, 2, 4, 8, 16):
        title = f"own labels, {weeks} training week{'s' if weeks > 1 else ''}"
        rows[f"weeks-{weeks}"] = Row(title, partial(lgsr.few_weeks, weeks=weeks))
    for percent in (5, 20):
        rows[f"noise-{percent}"] = Row(
            f"{percent} % of the labels wrong", partial(lgsr.noise, share=percent / 100)
        )
    rows |= {
        "a": Row("vote weighted by spend", partial(lgsr.weighted, column=SPEND)),
        "b": Row("vote weighted by quantity", partial(lgsr.weighted, column=QUANTITY)),
        "c1": Row("price within the group, terciles", lgsr.by_price),
        "d": Row("thresholds differ by store format", lgsr.by_store),
        "e": Row("the customer decides", lgsr.by_customer),
        "e-customer": Row("the same, with the group `customer`", lgsr.by_customer, group=CUSTOMER),
        "f1": Row("10 % of the products change class in training", partial(changes.drift, after=8)),
        "f2": Row("the same with the first test week", partial(changes.drift, after=16)),
        "g": Row("30 % of the products new in the test set", changes.launches),
        "h": Row("thresholds move with the season", changes.season),
    }
    if journey is not None:
        rows["journey"] = Row(
            "Complete Journey, 68,192 products, label made by a rule",
            lambda _: complete_journey(journey),
        )
    rows["generated"] = Row("generated, 60,000 products", lambda _: generated())
    return rows
