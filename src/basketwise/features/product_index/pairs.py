"""Training baskets as numbers: one entry for each product of each basket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from basketwise.arrays import Counts, Flags

Weighting: TypeAlias = Literal["lines", "spend", "quantity"]
"""What a product's share of a basket is a share of."""
WEIGHTINGS: tuple[Weighting, ...] = get_args(Weighting)

Singles = NDArray[np.float32]

SLICE = 2**20
"""Numbers that are widened at a time."""

LARGE_SLICE = 2**22
"""Values whose medians are taken at a time, unless one slice has more."""

FEW = 4
"""Share of all baskets, as its reciprocal, up to which entries are selected by their numbers."""


@dataclass(frozen=True)
class Pairs:
    """What the baskets contain; entries are sorted by basket, then by product.

    ``start`` has where each basket's entries start, and at last their number: shape (baskets + 1,).
    ``product`` (a number), ``lines``, ``spend`` (in the currency of SPEND) and ``quantity`` have
    one value per entry; ``label`` (position in ``INDEX_LABELS``) and ``fold`` one per basket.
    """

    start: Counts
    product: NDArray[np.int32]
    lines: Singles
    spend: Singles
    quantity: Singles
    label: NDArray[np.int8]
    fold: NDArray[np.int8]

    @cached_property
    def entries(self) -> Counts:
        """The number of entries of each basket."""
        return np.diff(self.start)

    @cached_property
    def size(self) -> Singles:
        """The number of lines of each basket."""
        return sums(self.lines, self.start)

    def basket(self) -> NDArray[np.int32]:
        """Return the basket of each entry."""
        return np.repeat(np.arange(self.label.size, dtype=np.int32), self.entries)

    def take(self, baskets: Flags) -> Pairs:
        """Return the baskets that the mask marks."""
        if baskets.all():
            return self
        entries = self.entries_of(baskets)
        start = np.concatenate([[0], np.cumsum(self.entries[baskets])])
        return Pairs(
            start,
            self.product[entries],
            self.lines[entries],
            self.spend[entries],
            self.quantity[entries],
            self.label[baskets],
            self.fold[baskets],
        )

    def entries_of(self, baskets: Flags) -> Flags | Counts:
        """Return what selects the entries of the baskets that the mask marks, in their order."""
        if FEW * np.count_nonzero(baskets) > baskets.size:
            return np.repeat(baskets, self.entries)
        # A mask of all entries would take longer than the few that it marks.
        number = self.entries[baskets]
        ends = np.cumsum(number)
        gaps = self.start[:-1][baskets] - ends + number
        return np.arange(ends[-1] if ends.size else 0) + np.repeat(gaps, number)

    def baskets_with(self, products: int) -> Counts:
        """Count the baskets of each product."""
        return counts(self.product, products)

    def baskets_by_fold(self, products: int) -> Counts:
        """Count the baskets of each product in each fold, shape (folds, products)."""
        folds = int(self.fold.max(initial=-1)) + 1
        first = self.fold * np.int64(products)
        total = np.zeros(folds * products, dtype=np.int64)
        for start in range(0, self.label.size, SLICE):
            own = slice(start, start + SLICE)
            number = np.repeat(first[own], self.entries[own])
            number += self.product[self.start[own.start] :][: number.size]
            total += np.bincount(number, minlength=total.size)
        return total.reshape(folds, products)

    def shares(self, weighting: Weighting) -> Singles:
        """Return each entry's share of its basket: of its lines, of its spend or of its quantity.

        Negative amounts (returns) count as none; a basket without any amount is shared by lines.
        """
        amounts, totals = self.lines, self.size
        if weighting != "lines":
            amounts = np.maximum(getattr(self, weighting), 0)
            totals = sums(amounts, self.start)
        empty = totals <= 0
        if empty.any():
            amounts = np.where(np.repeat(empty, self.entries), self.lines, amounts)
            totals = np.where(empty, self.size, totals)
        shares = np.repeat(totals, self.entries)
        return np.divide(amounts, shares, out=shares)

    def matrix(
        self, values: Singles, products: int, first: int = 0, end: int | None = None
    ) -> sp.csr_array:
        """Put one value per entry into a sparse matrix of baskets, some or all, and products."""
        start = self.start[first : None if end is None else end + 1]
        own = slice(start[0], start[-1])
        shape = (start.size - 1, products)
        return sp.csr_array((values[own], self.product[own], start - start[0]), shape=shape)


def counts(numbers: NDArray[np.integer], minlength: int = 0) -> Counts:
    """Count how often each number occurs, as ``numpy.bincount``, which widens all numbers first."""
    total = np.zeros(max(minlength, int(numbers.max(initial=-1)) + 1), dtype=np.int64)
    for first in range(0, numbers.size, SLICE):
        total += np.bincount(numbers[first : first + SLICE], minlength=total.size)
    return total


def sums(values: NDArray[np.floating], start: Counts) -> Singles:
    """Add up the entries of each basket, which are along the last axis."""
    if start.size == 1 or values.shape[-1] == 0:
        return np.zeros((*values.shape[:-1], start.size - 1), dtype=np.float32)
    # An empty basket would get the first entry of the next one, so only the others are added up.
    filled = np.diff(start) > 0
    if filled.all():
        return np.add.reduceat(values, start[:-1], axis=-1, dtype=np.float32)
    total = np.zeros((*values.shape[:-1], start.size - 1), dtype=np.float32)
    total[..., filled] = np.add.reduceat(values, start[:-1][filled], axis=-1, dtype=np.float32)
    return total


def pair(
    basket: NDArray[np.int32],
    product: NDArray[np.int32],
    spend: NDArray[np.floating],
    quantity: NDArray[np.floating],
    label: NDArray[np.int8],
    fold: NDArray[np.int8],
) -> Pairs:
    """Add up the lines of each product of each basket.

    ``basket`` (position in ``label`` and ``fold``), ``product``, ``spend`` and ``quantity`` have
    one value per line, in any order.
    """
    key = basket.astype(np.int64) << 32 | product
    if (key[1:] < key[:-1]).any():
        # Baskets come in order, so a stable sort has little to do.
        order = np.argsort(key, kind="stable")
        key, basket, product = key[order], basket[order], product[order]
        spend, quantity = spend[order], quantity[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    bounds = np.append(starts, basket.size)
    lines = np.diff(bounds)
    spends, quantities = _mostly_one(spend, bounds), _mostly_one(quantity, bounds)
    ends = np.zeros(label.size + 1, dtype=np.int64)
    np.cumsum(np.bincount(basket[starts], minlength=label.size), out=ends[1:])
    single = lines.astype(np.float32)
    return Pairs(ends, product[starts], single, spends, quantities, label, fold)


def _mostly_one(values: NDArray[np.floating], start: Counts) -> Singles:
    """Add up the lines of each entry, which mostly has one."""
    total = values[start[:-1]].astype(np.float32)
    several = np.flatnonzero(np.diff(start) > 1)
    if several.size:
        bounds = np.column_stack([start[several], start[several + 1]]).ravel()
        # The last entry may end where the values do.
        bounds = bounds[:-1] if bounds[-1] == values.size else bounds
        total[several] = np.add.reduceat(values, bounds, dtype=np.float32)[::2]
    return total


def concatenate(pieces: list[dict[str, Any]]) -> Pairs:
    """Concatenate pieces of whole baskets: the fields of :class:`Pairs`, which are taken out.

    What was taken is given up at once, so no more than one field is in memory twice.
    """

    def taken(name: str) -> Any:
        return np.concatenate([piece.pop(name) for piece in pieces])

    ends, starts = 0, []
    for piece in pieces:
        own = piece.pop("start")
        starts.append(own[:-1] + ends)
        ends += int(own[-1])
    start = np.concatenate([*starts, [ends]]).astype(np.int64)
    del starts
    names = ("product", "lines", "spend", "quantity", "label", "fold")
    return Pairs(start, *map(taken, names))


def unit_prices(pairs: Pairs, group: Counts) -> tuple[Singles, Singles]:
    """Return the medians of SPEND over QUANTITY of products, and of groups of them.

    ``group`` has the number of each product's group, from 0. NaN where there is no price.
    """
    # Numbered by their groups, the products of a group are next to each other.
    order = np.argsort(group, kind="stable")
    number = np.empty(group.size, dtype=np.int32)
    number[order] = np.arange(group.size, dtype=np.int32)
    bounds = np.zeros(group.size + 1, dtype=np.int64)
    for product, _ in _bought(pairs, number):
        bounds[1:] += np.bincount(product, minlength=group.size)
    np.cumsum(bounds, out=bounds)
    # A slice at a time: this is where most memory is in use.
    prices, ends = np.empty(bounds[-1], dtype=np.float32), bounds[:-1].copy()
    for product, price in _bought(pairs, number):
        own = np.bincount(product, minlength=group.size)
        gaps = ends - np.cumsum(own) + own
        prices[np.repeat(gaps, own) + np.arange(price.size)] = by_column(price, product, own.size)
        ends += own
    of_products = np.empty(group.size, dtype=np.float32)
    of_products[order] = _medians(prices, bounds)
    groups = np.searchsorted(group[order], np.arange(group.max(initial=-1) + 2))
    return of_products, _medians(prices, bounds[groups])


def _bought(pairs: Pairs, number: NDArray[np.int32]) -> Iterator[tuple[NDArray[np.int32], Singles]]:
    """Yield the new numbers of products and their prices, some entries that have one at a time."""
    for start in range(0, pairs.product.size, SLICE):
        own = slice(start, start + SLICE)
        spend, quantity, product = pairs.spend[own], pairs.quantity[own], number[pairs.product[own]]
        priced = (spend > 0) & (quantity > 0)
        if not priced.all():
            spend, quantity, product = spend[priced], quantity[priced], product[priced]
        yield product, spend / quantity


def by_column(values: NDArray[Any], column: NDArray[np.integer], columns: int) -> NDArray[Any]:
    """Sort values by their column; those of a column stay in their order."""
    row = sp.csr_array((values, column, np.array([0, values.size])), shape=(1, columns))
    return np.asarray(row.tocsc().data)


def _medians(values: Singles, bounds: Counts) -> Singles:
    """Return the medians of slices of values, one after the other; NaN of an empty one.

    ``bounds``: where each starts, and where the last one ends. A loop over the slices would wait
    for Python's lock, which other libraries need while they load.
    """
    medians = np.full(bounds.size - 1, np.nan, dtype=np.float32)
    first = 0
    while first < medians.size:
        last = int(np.searchsorted(bounds, bounds[first] + LARGE_SLICE, side="right")) - 1
        end = max(last, first + 1)
        lengths = np.diff(bounds[first : end + 1])
        number = pl.Series("number", np.repeat(np.arange(first, end, dtype=np.int32), lengths))
        own = pl.Series("value", values[bounds[first] : bounds[end]])
        # Numbers that are known to be sorted are groups already.
        groups = pl.DataFrame([number.set_sorted(), own]).group_by("number")
        table = groups.agg(pl.col("value").median())
        medians[table["number"].to_numpy()] = table["value"].to_numpy()
        first = end
    return medians
