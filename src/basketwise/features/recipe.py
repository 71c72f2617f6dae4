"""The one way from lines to features: in process on one basket, on a week, in a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from basketwise.arrays import Counts
from basketwise.features import runs, stepwise
from basketwise.features.group import Encoders, FeatureGroup
from basketwise.features.groups import GROUPS
from basketwise.features.product_index.by_fold import FoldLookup
from basketwise.features.product_index.table import ANSWERS
from basketwise.schema import BASKET_ID, KEY, PROD_CODE, SPEND

AddHistory = Callable[[pl.DataFrame], pl.DataFrame]
"""Adds what was known of the customer before each basket, one row per basket."""

ScoreLines = Callable[[pl.DataFrame], pl.DataFrame]
"""Adds the scores and the class of each line's product, in any order of lines."""

FEW = 2_000
"""Up to this number of lines, groups take less than what finds runs of them."""


@dataclass(frozen=True)
class Recipe:
    """Parameters for computing features from lines, apart from the product index.

    ``encoders`` are the categories of the store's format and region; ``outliers`` (``clip``,
    ``drop`` or ``keep``) have SPEND above ``limit``; ``evidence`` are groups of columns that come
    after the features, and that no model sees.
    """

    groups: Sequence[str]
    encoders: Encoders
    outliers: str
    limit: float
    evidence: Sequence[FeatureGroup] = ()

    # Built once: for a single basket, building expressions costs as much as running them.
    @cached_property
    def _chosen(self) -> list[FeatureGroup]:
        own = [group for name, group in GROUPS.items() if name in self.groups]
        return [*own, *self.evidence]

    @cached_property
    def needs_index(self) -> bool:
        """Whether a group needs the product index."""
        return any(group.needs_index for group in self._chosen)

    @cached_property
    def needs_history(self) -> bool:
        """Whether a group needs the customers' history."""
        return any(group.needs_history for group in self._chosen)

    @cached_property
    def reads(self) -> list[str]:
        """The columns of typed lines that are needed: BASKET_ID, then the groups' own, sorted."""
        return [BASKET_ID, *sorted({name for group in self._chosen for name in group.reads})]

    @cached_property
    def asks(self) -> list[str]:
        """The columns of the product index's answers that the groups need."""
        used = {name for own in self.aggregates for name in own.meta.root_names()}
        return [name for name in ANSWERS if name in used]

    @cached_property
    def aggregates(self) -> list[pl.Expr]:
        """What describes the lines of a basket."""
        return [expression for group in self._chosen for expression in group.expressions()]

    @cached_property
    def means(self) -> list[pl.Expr]:
        """What is averaged of what the index says of a line."""
        return [number for group in self._chosen for number in group.means()]

    @cached_property
    def counts(self) -> list[pl.Expr]:
        """What is counted of what the index says of a line."""
        return [condition for group in self._chosen for condition in group.counts()]

    @cached_property
    def sums(self) -> list[pl.Expr]:
        """What is added up of what the index says of a line."""
        return [number for group in self._chosen for number in group.sums()]

    @cached_property
    def shared(self) -> dict[str, str]:
        """The names of largest values, and their columns."""
        return {name: column for group in self._chosen for name, column in group.shared.items()}

    @cached_property
    def distinct(self) -> dict[str, str]:
        """The names of numbers of different values, and their columns."""
        return {name: column for group in self._chosen for name, column in group.distinct.items()}

    @cached_property
    def totals(self) -> dict[str, str]:
        """The names of sums, and their columns."""
        return {name: column for group in self._chosen for name, column in group.totals.items()}

    @cached_property
    def deviations(self) -> dict[str, str]:
        """The names of standard deviations, and their columns."""
        return {name: column for group in self._chosen for name, column in group.deviations.items()}

    @cached_property
    def sizes(self) -> list[str]:
        """The names of the number of lines."""
        return [name for group in self._chosen for name in group.sizes]

    @cached_property
    def others(self) -> list[pl.Expr]:
        """What describes the lines of a basket in any other way."""
        return [expression for group in self._chosen for expression in group.aggregates()]

    @cached_property
    def asks_by_line(self) -> list[str]:
        """The columns of the index's answers that are needed beside other columns of a line."""
        used = {name for own in self.others for name in own.meta.root_names()}
        return [name for name in ANSWERS if name in used]

    @cached_property
    def derived(self) -> list[pl.Expr]:
        """What follows from the aggregates."""
        return [e for group in self._chosen for e in group.derived(self.encoders)]

    @cached_property
    def columns(self) -> list[pl.Expr]:
        """The key and the features."""
        names = (column for group in self._chosen for column in group.columns)
        return [pl.col(BASKET_ID).alias(KEY), *map(pl.col, names)]


def features(
    lines: pl.DataFrame,
    recipe: Recipe,
    index: ScoreLines | None = None,
    history: AddHistory | None = None,
) -> pl.DataFrame:
    """Compute the features of some baskets.

    Parameters
    ----------
    lines : DataFrame
        One row per typed line, in the order of :func:`basketwise.etl.lines.cleaning.settle`: sums
        of floating-point numbers depend on their order in the last bits.
    recipe : Recipe
        Groups, encoders and outliers.
    index : callable or None
        The product index; needed by groups that need it, else not asked.
    history : callable or None
        The same of the customers' history, see :meth:`basketwise.features.history.History.add`.

    Returns
    -------
    DataFrame
        One row per basket, sorted by ``basket_id``: the key, then the columns of the groups. No
        nulls. A basket whose lines are all dropped as outliers has no row.
    """
    own = index if recipe.needs_index else None
    baskets = _by_run(lines, recipe, own)
    if baskets is None:
        scored = own(lines) if own is not None else lines
        # The streaming engine adds up in the order in which its threads arrive; the in-memory one
        # in the order of the rows, so that the last bits are the same on any machine.
        kept = treat_outliers(scored.lazy(), recipe.outliers, recipe.limit)
        baskets = kept.group_by(BASKET_ID).agg(recipe.aggregates).collect(engine="in-memory")
    if history is not None and recipe.needs_history:
        baskets = history(baskets)
    derived = baskets.lazy().with_columns(recipe.derived).select(recipe.columns)
    table = derived.collect(engine="in-memory")
    return table if table[KEY].is_sorted() else table.sort(KEY)


def _by_run(lines: pl.DataFrame, recipe: Recipe, index: ScoreLines | None) -> pl.DataFrame | None:
    """Aggregate many lines that are in order, basket by basket; None if they are not.

    With the same result, but for the order of rows, as groups of lines have.
    """
    if lines.height <= FEW or (recipe.needs_index and not isinstance(index, FoldLookup)):
        return None
    if recipe.outliers != "keep":
        treated = treat_outliers(lines.lazy(), recipe.outliers, recipe.limit)
        lines = treated.collect(engine="in-memory")
    own = runs.runs_of(lines[BASKET_ID])
    if own is None or not lines.height or not _addable(lines, recipe):
        return None
    columns, different = [own.baskets], dict[str, Counts]()
    if isinstance(index, FoldLookup):
        rows = index.rows(lines)
        if not index.known[rows].all():
            return None
        if recipe.means or recipe.counts:
            columns += runs.of_products(own, rows, index.said(recipe.means, recipe.counts))
        if recipe.sums:
            names, numbers = index.added(recipe.sums)
            columns += stepwise.of_rows(names, numbers, rows, own)
        if recipe.asks_by_line:
            lines = lines.hstack(index.answers.select(recipe.asks_by_line)[rows])
        # Within a fold, rows are in the order of the products.
        if (number := runs.distinct_numbers(rows, own)) is not None:
            different[PROD_CODE] = number
    for name, column in recipe.shared.items():
        columns.append(runs.shared(lines[column], own).alias(name))
    for name, column in recipe.distinct.items():
        number = different.get(column)
        counted = runs.distinct(lines[column], own) if number is None else pl.Series(number)
        columns.append(counted.alias(name))
    for name, column in recipe.totals.items():
        columns.append(pl.Series(name, stepwise.sums(lines[column].to_numpy().take, own)))
    for name, column in recipe.deviations.items():
        columns.append(pl.Series(name, stepwise.deviations(lines[column].to_numpy(), own)))
    columns += [pl.Series(name, own.lengths) for name in recipe.sizes]
    table = pl.DataFrame(columns)
    if not recipe.others:
        return table
    return table.hstack(runs.grouped(lines, own.lengths, recipe.others))


def _addable(lines: pl.DataFrame, recipe: Recipe) -> bool:
    """Whether columns are added up line after line as groups would: no nulls, all finite."""
    own = [lines[name] for name in {*recipe.totals.values(), *recipe.deviations.values()}]
    return stepwise.as_groups() and all(
        values.dtype == pl.Float64 and not values.null_count() and values.is_finite().all()
        for values in own
    )


def treat_outliers(lines: pl.LazyFrame, how: str, limit: float) -> pl.LazyFrame:
    """Drop, clip or keep the lines with SPEND above the limit."""
    if how == "drop":
        return lines.filter(pl.col(SPEND) <= limit)
    if how == "clip":
        return lines.with_columns(pl.col(SPEND).clip(upper_bound=limit))
    return lines
