"""What a model knows of scored lines: which products, and whether they tell anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from basketwise.arrays import Flags, Floats
from basketwise.features.basket import ENCODED
from basketwise.features.group import Encoders, FeatureGroup
from basketwise.features.product_index.table import CLASS, NEW
from basketwise.schema import (
    BASKET_ID,
    CERTAINTY,
    CLASSIFIED,
    KNOWN_SHARE,
    PROD_CODE,
    SPEND,
    UNCLASSIFIED,
)

NOTABLE = 0.01
"""From this share of lines, spend or baskets on, unseen products and stores are warned of: some are
new every week."""

EXAMPLES = 3


def means() -> list[pl.Expr]:
    """Return the share of a basket's lines whose product is known."""
    return [(~pl.col(NEW)).alias(KNOWN_SHARE)]


def counts() -> list[pl.Expr]:
    """Count the lines whose product says something."""
    return [(pl.col(CLASS) != UNCLASSIFIED).alias("_telling")]


def derived(encoders: Encoders) -> list[pl.Expr]:
    """Name what follows: a basket in which every product is silent cannot be classified by it."""
    tells = pl.when(pl.col("_telling") > 0).then(pl.lit(CLASSIFIED))
    return [tells.otherwise(pl.lit(UNCLASSIFIED)).alias(CERTAINTY)]


KNOWN = FeatureGroup(
    "known",
    (KNOWN_SHARE, CERTAINTY),
    (PROD_CODE,),
    list,
    derived,
    needs_index=True,
    means=means,
    counts=counts,
)
"""Columns that no model sees: counted in the same pass as the features, which costs next to
nothing even for a single basket."""


@dataclass
class Unseen:
    """Counts of what the model has not seen in training; :meth:`add` takes in more lines.

    Attributes
    ----------
    baskets
        Baskets that were scored.
    lines, unseen_lines
        Their lines, and those whose product is not in the training data; 0 for a model without a
        product index.
    amount, unseen_amount
        The same in money: absolute SPEND.
    store_baskets
        Baskets with a store format or region that is not in the training data.
    remembered
        Baskets whose customer's earlier baskets are known; 0 for a model that does not use them.
    stores
        Those formats and regions, by column: the first three of each.
    """

    baskets: int = 0
    lines: int = 0
    unseen_lines: int = 0
    amount: float = 0.0
    unseen_amount: float = 0.0
    store_baskets: int = 0
    remembered: int = 0
    stores: dict[str, list[str]] = field(default_factory=dict)

    def add(
        self, lines: pl.DataFrame, baskets: int, encoders: Mapping[str, Sequence[str]] | None
    ) -> None:
        """Count more lines.

        Parameters
        ----------
        lines : DataFrame
            Typed lines; from a model with an index, with ``new``.
        baskets : int
            Baskets that were scored of them.
        encoders : mapping or None
            The categories of the stores' format and region; None for a model without them.
        """
        self.baskets += baskets
        if NEW in lines.columns:
            self.add_products(lines[NEW].to_numpy(), lines[SPEND].to_numpy())
        if encoders is not None:
            own = _unseen_stores(lambda column: lines[column].unique(), encoders)
            if any(own.values()):
                matches = pl.any_horizontal(pl.col(c).is_in(names) for c, names in own.items())
                self._count_stores(lines.filter(matches)[BASKET_ID].n_unique(), own)

    def add_products(self, new: Flags, spend: Floats) -> None:
        """Count lines: whether each one's product is new, and its SPEND."""
        amount = np.abs(spend)
        unseen = int(new.sum())
        self.lines += new.size
        self.amount += float(amount.sum())
        self.unseen_lines += unseen
        self.unseen_amount += float(amount[new].sum()) if unseen else 0.0

    def add_stores(
        self,
        baskets: Sequence[int | str],
        stores: Mapping[str, Sequence[str | None]],
        encoders: Mapping[str, Sequence[str]],
    ) -> None:
        """Count the baskets of unseen stores; ``stores`` by column, one entry per line each."""
        own = _unseen_stores(stores.__getitem__, encoders)
        if any(own.values()):
            concerned = {
                basket
                for column, names in own.items()
                for basket, name in zip(baskets, stores[column], strict=True)
                if name in names
            }
            self._count_stores(len(concerned), own)

    def take(self, other: Unseen) -> None:
        """Add what was counted of other lines."""
        for name, value in vars(other).items():
            if name != "stores":
                setattr(self, name, getattr(self, name) + value)
        for column, own in other.stores.items():
            self._name_stores(column, own)

    def _count_stores(self, baskets: int, own: Mapping[str, Sequence[str]]) -> None:
        self.store_baskets += baskets
        for column, names in own.items():
            self._name_stores(column, names)

    def _name_stores(self, column: str, values: Sequence[str]) -> None:
        named = self.stores.setdefault(column, [])
        named += [value for value in values if value not in named]
        del named[EXAMPLES:]

    @property
    def line_share(self) -> float | None:
        """Share of the lines with unseen products; None for a model without a product index."""
        return self.unseen_lines / self.lines if self.lines else None

    @property
    def spend_share(self) -> float | None:
        """The same as a share of the spend; None also if nothing was spent."""
        return self.unseen_amount / self.amount if self.amount else None

    @property
    def store_share(self) -> float:
        """Share of the baskets with an unseen store format or region."""
        return self.store_baskets / self.baskets if self.baskets else 0.0

    @property
    def is_everything(self) -> bool:
        """Whether there are lines, and the model knows the product of none of them."""
        return 0 < self.lines == self.unseen_lines

    def document(self) -> dict[str, Any]:
        """Return the counts and shares, as JSON documents contain them."""
        return {
            "lines": self.unseen_lines,
            "line_share": self.line_share,
            "spend_share": self.spend_share,
            "store_baskets": self.store_baskets,
            "store_share": self.store_share,
            "stores": self.stores,
        }

    @property
    def products(self) -> str:
        """Say how much of the lines has unseen products; empty if that is not notable."""
        if max(self.line_share or 0.0, self.spend_share or 0.0) < NOTABLE:
            return ""
        spend = "" if self.spend_share is None else f" ({_percent(self.spend_share)} of spend)"
        lines = _percent(self.line_share or 0.0)
        return f"{lines} of the lines{spend} have products that the model has never seen"

    @property
    def kinds_of_stores(self) -> str:
        """Say how many baskets have unseen store formats or regions; empty if not notable."""
        if self.store_share < NOTABLE:
            return ""
        values = "; ".join(
            f"{column} {', '.join(map(repr, own))}" for column, own in self.stores.items() if own
        )
        return (
            f"{_percent(self.store_share)} of the baskets have a store format or region that the "
            f"model has never seen: {values}"
        )


def _unseen_stores(
    stores: Callable[[str], Iterable[str | None]], encoders: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return the unseen values by column; a column that training had no value of tells none."""
    return {
        column: sorted(filter(None, set(stores(column)).difference(encoders[key])))
        for key, column in ENCODED.items()
        if encoders[key]
    }


def _percent(share: float) -> str:
    """Write a share, which is never rounded to all or nothing."""
    if 0.995 <= share < 1:
        return "over 99 %"
    return f"{100 * share:.0f} %" if share >= 0.005 or share == 0 else "under 1 %"
