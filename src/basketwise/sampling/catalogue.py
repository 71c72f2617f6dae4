"""The made-up products: codes and hierarchy, popularity, price, and a class that no file shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from basketwise.sampling.discrete import Discrete
from basketwise.sampling.tables import Table


class ProductClass(IntEnum):
    """What a product says about the shopper who buys it; hidden from the files."""

    CHEAP = 0
    MID = 1
    UPMARKET = 2
    SILENT = 3


CLASS_SHARES: tuple[float, ...] = (0.145, 0.62, 0.145, 0.09)
"""Share of each :class:`ProductClass` among the lines sold."""

_PRICE_FACTORS = np.array([0.93, 1.0, 1.08, 1.0])
"""Cheap products are hardly cheaper: spend is not very informative, as in real till data."""

_QUANTITY_TRADE = np.cumsum([0.82, 0.10, 0.05, 0.02, 0.005, 0.005])
_QUANTITIES = len(_QUANTITY_TRADE)

_MEDIAN_PRICE = 1.2
_PRICE_SPREAD = 0.7
_HEAD = 5
_DECAY = 0.9
_CLASS_NOISE = 1.2
_FANOUT = (20, 3, 3, 3)
"""How many members a group has, on average, at each level of the hierarchy, finest first."""


@dataclass(frozen=True)
class Catalogue:
    """The products of a sample; everything is in the order of PROD_CODE.

    ``codes``: one row per product, five text columns: PROD_CODE and its four levels, finest first.
    ``popularity``: shares of the lines sold. ``classes``: :class:`ProductClass` of each product.
    ``prices``: money per piece, to the hundredth.
    """

    codes: pl.DataFrame
    popularity: Discrete
    classes: npt.NDArray[np.int64]
    prices: npt.NDArray[np.float64]

    @property
    def size(self) -> int:
        """How many products there are."""
        return len(self.classes)

    @cached_property
    def offers(self) -> Table:
        """Every product in every quantity: QUANTITY, SPEND and the five codes."""
        quantity = np.tile(np.arange(_QUANTITIES) + 1, self.size)
        product = np.repeat(np.arange(self.size), _QUANTITIES)
        spend = np.round(self.prices[product] * quantity, 2)
        rows = pl.DataFrame({"QUANTITY": quantity, "SPEND": spend})
        return Table(rows.hstack(self.codes[product]))

    def draw_offers(
        self, rng: np.random.Generator, product: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Draw a quantity for each product of a line; returns the row of :attr:`offers`."""
        number = rng.random(len(product))
        row = product * _QUANTITIES
        for bound in _QUANTITY_TRADE[:-1]:
            row += number >= bound
        return row


def make_catalogue(rng: np.random.Generator, products: int) -> Catalogue:
    """Make up a catalogue.

    The k-th most popular product sells in proportion to ``1 / (k + 5) ** 0.9`` (Zipf's law with a
    flattened head). A product's finest group leans to its class, the levels above do not.
    """
    ranked = (np.arange(products, dtype=np.float64) + _HEAD) ** -_DECAY
    ranked /= ranked.sum()
    position = rng.permutation(products)
    popularity = np.empty(products)
    popularity[position] = ranked
    classes = np.empty(products, dtype=np.int64)
    classes[position] = _assign_classes(rng, ranked)
    prices = _MEDIAN_PRICE * rng.lognormal(0.0, _PRICE_SPREAD, products) * _PRICE_FACTORS[classes]
    return Catalogue(
        codes=_codes(rng, classes),
        popularity=Discrete(popularity),
        classes=classes,
        prices=np.maximum(np.round(prices, 2), 0.05),
    )


def _assign_classes(
    rng: np.random.Generator, popularity: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Give each product a class so that the shares of the *lines* come out as wanted.

    Drawn independently, a single popular product would shift the labels of a whole sample. So
    each draw is weighed by what the class still lacks among the products before it.
    """
    shares = np.array(CLASS_SHARES)
    lacking = np.zeros(len(shares))
    classes = np.empty(len(popularity), dtype=np.int64)
    for product, weight in enumerate(popularity):
        lacking += shares * weight
        chances = np.maximum(lacking, 0.0)
        chosen = rng.choice(len(shares), p=chances / chances.sum())
        classes[product] = chosen
        lacking[chosen] -= weight
    return classes


def _codes(rng: np.random.Generator, classes: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Spread the products over a hierarchy of four levels and name everything."""
    lean = np.argsort(classes + rng.normal(0.0, _CLASS_NOISE, len(classes)), kind="stable")
    member = np.empty(len(classes), dtype=np.int64)
    member[lean] = np.arange(len(classes))
    columns = {"PROD_CODE": [f"PRD{900_001 + i:07d}" for i in range(len(classes))]}
    names = (("10", "CL", 5), ("20", "DEP", 5), ("30", "G", 5), ("40", "D", 5))
    for (level, prefix, digits), fanout in zip(names, _FANOUT, strict=True):
        groups = -(-(int(member.max()) + 1) // fanout)
        member = rng.permutation(groups)[member // fanout]
        columns[f"PROD_CODE_{level}"] = [f"{prefix}{group + 1:0{digits}d}" for group in member]
    return pl.DataFrame(columns)
