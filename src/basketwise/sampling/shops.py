"""The made-up shops, and the customers who carry a card."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from basketwise.sampling.discrete import Discrete
from basketwise.sampling.tables import Table

_FORMATS = ("LS", "MS", "SS", "XLS")
_FORMAT_TRADE = np.array([0.60, 0.22, 0.09, 0.09])
_REGIONS = tuple(f"{side}{number:02d}" for side in "ENSW" for number in (1, 2, 3))
_PRICE_SENSITIVITIES = ("LA", "MM", "UM", "XX")
_LIFESTAGES = ("YA", "OA", "YF", "OF", "PE", "OT")
_BASKETS_PER_SHOP = 500
_BASKETS_PER_CUSTOMER = 40
_MAX_SHOPS = 760


@dataclass(frozen=True)
class Shops:
    """Where baskets are bought, and by whom.

    ``shops``: one row per shop, text: STORE_CODE, STORE_FORMAT, STORE_REGION. ``trade``: their
    shares of the baskets. ``customers``: one row per card, text: CUST_CODE,
    CUST_PRICE_SENSITIVITY, CUST_LIFESTAGE; and one last row of nulls for baskets without a card.
    ``home``: index of each card's shop.
    """

    shops: Table
    trade: Discrete
    customers: Table
    home: npt.NDArray[np.int64]

    @property
    def cards(self) -> int:
        """How many customers carry a card."""
        return len(self.home)


def make_shops(rng: np.random.Generator, baskets: int) -> Shops:
    """Generate shops and customers for a sample of ``baskets`` baskets.

    A shop's format and region are independent of what is bought there, and so are a customer's
    two vendor labels: they are filler, and a model that leans on them has learned noise.
    """
    count = int(np.clip(baskets // _BASKETS_PER_SHOP, len(_FORMATS), _MAX_SHOPS))
    formats = np.arange(count) % len(_FORMATS)
    trade = _FORMAT_TRADE[formats] * rng.uniform(0.5, 1.5, count)
    shops = pl.DataFrame(
        {
            "STORE_CODE": [f"STORE{number + 1:05d}" for number in range(count)],
            "STORE_FORMAT": [_FORMATS[index] for index in formats],
            "STORE_REGION": [_REGIONS[index] for index in rng.integers(0, len(_REGIONS), count)],
        }
    )
    cards = max(10, baskets // _BASKETS_PER_CUSTOMER)
    customers = pl.DataFrame(
        {
            "CUST_CODE": [f"CUST{number + 1:010d}" for number in range(cards)],
            "CUST_PRICE_SENSITIVITY": _pick(rng, _PRICE_SENSITIVITIES, cards),
            "CUST_LIFESTAGE": _pick(rng, _LIFESTAGES, cards),
        }
    )
    nobody = pl.DataFrame({name: [None] for name in customers.columns}, schema=customers.schema)
    distribution = Discrete(trade / trade.sum())
    home = distribution.draw(rng, cards)
    return Shops(Table(shops), distribution, Table(pl.concat([customers, nobody])), home)


def _pick(rng: np.random.Generator, values: tuple[str, ...], count: int) -> list[str]:
    return [values[index] for index in rng.integers(0, len(values), count)]
