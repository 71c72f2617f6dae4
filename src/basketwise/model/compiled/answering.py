"""Scoring few baskets of plain lines: what a frame would give, or nothing at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
import polars as pl

from basketwise.arrays import Floats, Probabilities
from basketwise.etl.lines.rules import Rules
from basketwise.features.basket import ENCODED, TIMES
from basketwise.features.basket import GROUP as BASKET
from basketwise.features.product_index.lookup import IndexLookup
from basketwise.features.recipe import Recipe
from basketwise.features.unseen import Unseen
from basketwise.model.compiled.judging import Judged, Rejected, by_reason, judge
from basketwise.model.compiled.plain import Columns, NotPlainError, read
from basketwise.model.compiled.products import Products, Said
from basketwise.model.compiled.sums import GROUPS, BasketLines
from basketwise.model.estimating import Estimating, decided
from basketwise.schema import (
    BASKET_ID,
    CERTAINTY,
    CLASSIFIED,
    INDEX_LABELS,
    KEY,
    KNOWN_SHARE,
    PREDICTED,
    PROBABILITIES,
    PROD_CODE,
    QUANTITY,
    SPEND,
    UNCLASSIFIED,
)

LINES = 300
"""Up to this number of lines, no frame is faster."""


@dataclass(frozen=True)
class Answer:
    """What a model makes of a few lines: plain values, one entry per basket in order of the ids.

    Attributes
    ----------
    baskets
        Their ids: whole numbers if all are, otherwise text.
    features
        In the order in which the model sees them, which rounds them to single precision; shape
        (baskets, features).
    probabilities
        Of the classes.
    predicted, known_share, certainty
        As from :meth:`basketwise.model.scoring.Model.predict`.
    classes
        Numbers of ``INDEX_LABELS``: the classes of the products of each basket's lines; empty for
        a model without a product index.
    accepted
        Number of lines that were used.
    rejected
        The other lines: in the order of delivery, copies last.
    unseen
        What the model has not seen in training.
    """

    baskets: list[int | str]
    features: Floats
    probabilities: Probabilities
    predicted: list[str]
    known_share: list[float | None]
    certainty: list[str]
    classes: list[list[int]]
    accepted: int
    rejected: list[Rejected]
    unseen: Unseen

    @property
    def reasons(self) -> dict[str, int]:
        """Rejected lines by reason, sorted by name."""
        return by_reason(self.rejected)

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per basket: the columns of :meth:`table`."""
        names = (KEY, PREDICTED, *PROBABILITIES, KNOWN_SHARE, CERTAINTY)
        columns = (
            self.baskets,
            self.predicted,
            *self.probabilities.T.tolist(),
            self.known_share,
            self.certainty,
        )
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def class_counts(self) -> dict[str, Counter[str]]:
        """Count the lines of each basket by the class of their product, by the id as text."""
        return {
            str(basket): Counter(INDEX_LABELS[label] for label in labels)
            for basket, labels in zip(self.baskets, self.classes, strict=True)
            if labels
        }

    def table(self) -> pl.DataFrame:
        """Return the table of :meth:`basketwise.model.scoring.Model.score`."""
        return pl.DataFrame(
            [
                pl.Series(KEY, self.baskets),
                pl.Series(PREDICTED, self.predicted, dtype=pl.String),
                *(
                    pl.Series(name, column)
                    for name, column in zip(PROBABILITIES, self.probabilities.T, strict=True)
                ),
                pl.Series(KNOWN_SHARE, self.known_share, dtype=pl.Float64),
                pl.Series(CERTAINTY, self.certainty, dtype=pl.String),
            ]
        )


class Compiled:
    """A model, prepared for few lines; it can be used by several threads.

    Parameters
    ----------
    recipe : Recipe
        Of the model.
    lookup : IndexLookup or None
        Its product index.
    rules : Rules
        Those for scoring.
    estimating : Estimating
        From features to probabilities.
    """

    def __init__(
        self,
        recipe: Recipe,
        lookup: IndexLookup | None,
        rules: Rules,
        estimating: Estimating,
    ) -> None:
        self._recipe = recipe
        self._products = Products(lookup) if lookup else None
        self._rules = rules
        self._estimating = estimating
        self._groups = [GROUPS[name] for name in recipe.groups]
        self._codes = {
            name: {category: code for code, category in enumerate(categories)}
            for name, categories in recipe.encoders.items()
        }

    @staticmethod
    def can(groups: Sequence[str]) -> bool:
        """Whether models with these feature groups can be compiled."""
        return GROUPS.keys() >= set(groups)

    def score(self, rows: Sequence[Mapping[str, Any]]) -> Answer | None:
        """Score raw lines of whole baskets.

        Parameters
        ----------
        rows : sequence of mapping
            One per line: values by column name.

        Returns
        -------
        Answer or None
            Exactly what cleaning and scoring a frame of these lines gives. None if that has to be
            asked: for more than :data:`LINES` lines, for lines that are not plain, and where it
            would raise an error.
        """
        if not 0 < len(rows) <= LINES or not all(type(row) is dict for row in rows):
            return None
        try:
            judged = judge(read(rows, self._rules), self._rules)
            return self._answer(judged)
        except NotPlainError:
            return None

    def _answer(self, judged: Judged) -> Answer:
        columns = judged.columns
        said = self._products.say(columns) if self._products else []
        baskets, features, known, certainty, classes = [], [], [], [], []
        for key, start, end in judged.baskets():
            lines = self._lines(columns, said, slice(start, end))
            if not lines.spend:
                continue
            values: dict[str, float] = {}
            for group in self._groups:
                values |= group(lines, self._codes)
            baskets.append(key)
            features.append([values[name] for name in self._estimating.columns])
            known.append(_known_share(lines.said))
            certainty.append(_certainty(lines.said))
            classes.append([own.label for own in said[start:end]])
        if not baskets:
            raise NotPlainError
        X = np.array(features, dtype=np.float64)
        probabilities = self._estimating.probabilities(X.astype(np.float32))
        return Answer(
            baskets,
            X,
            probabilities,
            decided(probabilities),
            known,
            certainty,
            classes,
            len(columns[BASKET_ID]),
            judged.rejected,
            self._unseen(columns, said, len(baskets)),
        )

    def _lines(self, columns: Columns, said: Sequence[Said], own: slice) -> BasketLines:
        """Take the lines of one basket, and treat outliers."""
        how, limit = self._recipe.outliers, self._recipe.limit
        spend = columns[SPEND][own]
        if how == "clip":
            spend = [min(amount, limit) for amount in spend]
        kept = [how != "drop" or amount <= limit for amount in spend]

        def take(values: Sequence[Any]) -> list[Any]:
            return list(compress(values, kept))

        return BasketLines(
            take(columns[PROD_CODE][own]),
            take(spend),
            take(columns[QUANTITY][own]),
            {name: take(columns[column][own]) for name, column in TIMES.items()},
            {name: take(columns[column][own]) for name, column in ENCODED.items()},
            take(said[own]),
        )

    def _unseen(self, columns: Columns, said: Sequence[Said], baskets: int) -> Unseen:
        unseen = Unseen(baskets=baskets)
        if self._products:
            new = np.array([own.new for own in said], dtype=np.bool_)
            unseen.add_products(new, np.array(columns[SPEND], dtype=np.float64))
        if BASKET.name in self._recipe.groups:
            stores = {column: columns[column] for column in ENCODED.values()}
            unseen.add_stores(columns[BASKET_ID], stores, self._recipe.encoders)
        return unseen


def _known_share(said: Sequence[Said]) -> float | None:
    return sum(not own.new for own in said) / len(said) if said else None


def _certainty(said: Sequence[Said]) -> str:
    silent = INDEX_LABELS.index(UNCLASSIFIED)
    tells = not said or any(own.label != silent for own in said)
    return CLASSIFIED if tells else UNCLASSIFIED
