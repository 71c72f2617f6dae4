"""One made-up week of till lines, drawn without a Python loop over baskets or lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from basketwise.sampling.catalogue import Catalogue
from basketwise.sampling.labels import LABELS, add_noise, label_baskets
from basketwise.sampling.shops import Shops
from basketwise.sampling.sorting import stable_argsort
from basketwise.sampling.tables import Selection, Table, join_columns, join_text

COLUMNS: tuple[str, ...] = (
    "SHOP_WEEK",
    "SHOP_DATE",
    "SHOP_WEEKDAY",
    "SHOP_HOUR",
    "QUANTITY",
    "SPEND",
    "PROD_CODE",
    "PROD_CODE_10",
    "PROD_CODE_20",
    "PROD_CODE_30",
    "PROD_CODE_40",
    "CUST_CODE",
    "CUST_PRICE_SENSITIVITY",
    "CUST_LIFESTAGE",
    "BASKET_ID",
    "BASKET_SIZE",
    "BASKET_PRICE_SENSITIVITY",
    "BASKET_TYPE",
    "BASKET_DOMINANT_MISSION",
    "STORE_CODE",
    "STORE_FORMAT",
    "STORE_REGION",
)
"""dunnhumby's columns in dunnhumby's order."""

WEEKS_PER_YEAR = 52

_FIRST_YEAR, _FIRST_WEEK, _FIRST_MONDAY = 2006, 7, date(2006, 4, 10)
_NO_CARD = 0.2
_GEOMETRIC = (0.276, 0.109)
"""Small errands and main shops, half each: 6.4 lines on average, 19 % of one line."""
_MAX_LINES = 80
_PATIENCE = 20
_HOURS = np.arange(8, 22)
_HOUR_TRADE = np.cumsum(np.array([3, 4, 5, 7, 8, 9, 9, 9, 9, 8, 7, 6, 8, 8]) / 100)
_SIZES, _TYPES = ("S", "M", "L"), ("Small Shop", "Top Up", "Full Shop")
_SIZE_BOUNDS, _TYPE_BOUNDS = (2, 7), (3, 10)
_MISSIONS = ("Fresh", "Mixed", "Grocery", "Nonfood")
_MISSION_TRADE = np.cumsum([0.51, 0.37, 0.10, 0.02])


@dataclass(frozen=True)
class Week:
    """One week: its lines, and how many baskets bear each label.

    ``parts``: one entry per line in each, sorted by shop and product as a till system exports them,
    so that a basket's lines are not together; side by side they have the columns :data:`COLUMNS`.
    ``labels``: in the order of :data:`~basketwise.sampling.labels.LABELS`.
    """

    parts: tuple[Selection, ...]
    labels: tuple[int, ...]

    @property
    def height(self) -> int:
        """How many lines there are."""
        return len(self.parts[0].row)

    @property
    def lines(self) -> pl.DataFrame:
        """One row per product of a basket, columns :data:`COLUMNS`."""
        return join_columns(self.parts)

    @property
    def text(self) -> pl.DataFrame:
        """The same rows as they go into a file, in a column per part."""
        return join_text(self.parts)


def fiscal_week(number: int) -> int:
    """Return YYYYWW of the week ``number`` weeks after 200607; years have 52 weeks.

    Examples
    --------
    >>> fiscal_week(0), fiscal_week(45), fiscal_week(46)
    (200607, 200652, 200701)
    """
    years, week = divmod(_FIRST_WEEK - 1 + number, WEEKS_PER_YEAR)
    return (_FIRST_YEAR + years) * 100 + week + 1


def draw_week(
    rng: np.random.Generator,
    number: int,
    *,
    baskets: int,
    catalogue: Catalogue,
    shops: Shops,
    noise: float,
) -> Week:
    """Draw the lines of ``baskets`` baskets bought in week ``number`` (0 is 200607)."""
    sizes = _draw_sizes(rng, baskets, catalogue.size)
    owner = np.repeat(np.arange(baskets), sizes)
    product = _draw_products(rng, owner, baskets, catalogue)
    classes = catalogue.classes[product]
    counts = np.bincount(owner * len(LABELS) + classes, minlength=baskets * len(LABELS))
    label = add_noise(rng, label_baskets(counts.reshape(baskets, -1)), noise)

    card = rng.integers(0, shops.cards, baskets)
    shop = np.where(rng.random(baskets) < _NO_CARD, -1, shops.home[card])
    card = np.where(shop < 0, shops.cards, card)
    shop = np.where(shop < 0, shops.trade.draw(rng, baskets), shop)
    opening = _draw_openings(rng, baskets)
    receipts = _draw_receipts(rng, number, sizes, label)
    offer = catalogue.draw_offers(rng, product)

    order = stable_argsort(shop[owner] * catalogue.size + product)
    owner, offer = owner[order], offer[order]
    labels = np.bincount(label, minlength=len(LABELS))
    return Week(
        parts=(
            Selection(_openings(number), opening[owner]),
            Selection(catalogue.offers, offer),
            Selection(shops.customers, card[owner]),
            Selection(receipts, owner),
            Selection(shops.shops, shop[owner]),
        ),
        labels=tuple(int(count) for count in labels),
    )


def _draw_sizes(rng: np.random.Generator, baskets: int, products: int) -> npt.NDArray[np.int64]:
    """Draw each basket's number of lines; it never has more than half of all products."""
    errand = rng.random(baskets) < 0.5
    small, large = (rng.geometric(chance, baskets) for chance in _GEOMETRIC)
    return np.minimum(np.where(errand, small, large), min(_MAX_LINES, products // 2))


def _draw_products(
    rng: np.random.Generator, owner: npt.NDArray[np.int64], baskets: int, catalogue: Catalogue
) -> npt.NDArray[np.int64]:
    """Draw a product per line, each at most once in a basket.

    Repeats are drawn anew until there are none. Only baskets that had a repeat are looked at
    again, and after some rounds all products become equally likely, so that a basket that wants
    half of a small catalogue comes to an end as well.
    """
    product = catalogue.popularity.draw(rng, len(owner))
    open_lines = np.arange(len(owner))
    rounds = 0
    while len(open_lines):
        keys = owner[open_lines] * catalogue.size + product[open_lines]
        order = stable_argsort(keys)
        repeats = open_lines[order[1:][keys[order[1:]] == keys[order[:-1]]]]
        repeats.sort()
        rounds += 1
        product[repeats] = (
            catalogue.popularity.draw(rng, len(repeats))
            if rounds < _PATIENCE
            else rng.integers(0, catalogue.size, len(repeats))
        )
        touched = np.zeros(baskets, dtype=bool)
        touched[owner[repeats]] = True
        open_lines = open_lines[touched[owner[open_lines]]]
    return product


def _draw_openings(rng: np.random.Generator, baskets: int) -> npt.NDArray[np.int64]:
    """Draw when each basket was bought; returns the row of :func:`_openings`."""
    day = rng.integers(0, 7, baskets)
    hour = np.searchsorted(_HOUR_TRADE[:-1], rng.random(baskets), side="right")
    return day * len(_HOURS) + hour


def _openings(number: int) -> Table:
    """Return every hour in which shops are open in a week, in order of time."""
    monday = _FIRST_MONDAY + timedelta(weeks=number)
    dates = np.array([int((monday + timedelta(days=d)).strftime("%Y%m%d")) for d in range(7)])
    day = np.repeat(np.arange(7), len(_HOURS))
    rows = {
        "SHOP_WEEK": np.full(len(day), fiscal_week(number), dtype=np.int32),
        "SHOP_DATE": dates[day],
        "SHOP_WEEKDAY": (day + 1) % 7 + 1,
        "SHOP_HOUR": np.tile(_HOURS, 7),
    }
    return Table(pl.DataFrame(rows))


def _draw_receipts(
    rng: np.random.Generator,
    number: int,
    sizes: npt.NDArray[np.int64],
    label: npt.NDArray[np.int64],
) -> Table:
    """Return what is noted about each basket as a whole."""
    mission = np.searchsorted(_MISSION_TRADE[:-1], rng.random(len(sizes)), side="right")
    serial = rng.permutation(len(sizes)) + 1
    rows = {
        "BASKET_ID": 994_100_000_000_000 + (number + 1) * 100_000_000 + serial,
        "BASKET_SIZE": _words(_SIZES, np.searchsorted(_SIZE_BOUNDS, sizes)),
        "BASKET_PRICE_SENSITIVITY": _words(LABELS, label),
        "BASKET_TYPE": _words(_TYPES, np.searchsorted(_TYPE_BOUNDS, sizes)),
        "BASKET_DOMINANT_MISSION": _words(_MISSIONS, mission),
    }
    return Table(pl.DataFrame(rows))


def _words(words: tuple[str, ...], index: npt.NDArray[np.int64]) -> pl.Series:
    return pl.Series(words, dtype=pl.String)[index]
