"""A trained model, from lines to probabilities: recipe, index, estimator and calibration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from basketwise.errors import InputError
from basketwise.etl.gold.metadata import Metadata
from basketwise.etl.lines.accepting import accepted_table, warn_of_rejected
from basketwise.etl.lines.numbers import BOTH
from basketwise.etl.lines.rules import Rules
from basketwise.explain.contributions import contributions
from basketwise.features.basket import GROUP as BASKET
from basketwise.features.customer import KNOWN_BASKETS
from basketwise.features.groups import of_history
from basketwise.features.history import History, empty_history
from basketwise.features.product_index.lookup import IndexLookup
from basketwise.features.product_index.table import BASKETS
from basketwise.features.recipe import AddHistory, Recipe, features
from basketwise.features.unseen import KNOWN, Unseen
from basketwise.model.compiled.answering import Compiled
from basketwise.model.estimating import Estimating, decided
from basketwise.model.explaining import explained
from basketwise.notices import warn
from basketwise.plugins import FRAMES, load
from basketwise.progress import counted
from basketwise.schema import (
    BASKET_ID,
    CERTAINTY,
    CLASSIFIED,
    KEY,
    KNOWN_SHARE,
    PREDICTED,
    PROBABILITIES,
    PROD_CODE,
)
from basketwise.tables import is_spark_frame, like, matrix
from basketwise.training.calibration import Calibration
from basketwise.training.candidates import Predictor

NO_HISTORY = (
    "the model uses what customers' earlier baskets say and has no history of them: every customer "
    "counts as unknown"
)
"""Of a model with the group ``customer`` that is used without a history."""


@dataclass(frozen=True, repr=False)
class Model:
    """A trained model, ready to score baskets; get one from :func:`basketwise.load`.

    ``lines`` may be any table of raw till lines, one row per line: a Polars, pandas or PyArrow
    frame, a DuckDB relation, a list of dictionaries. Column names are case-insensitive, numbers may
    be text; BASKET_ID, PROD_CODE, SPEND and QUANTITY are required, labels are not. Results have
    one row per basket, sorted by ``basket_id``, and the type of the input (pandas, PyArrow,
    otherwise Polars). :meth:`predict` and :meth:`predict_proba` take Spark frames too, classic and
    Connect, and return one, whose rows have no certain order; what they read and warn of then, says
    :func:`basketwise.engines.spark.scoring.predict`.

    Attributes
    ----------
    estimator
        The winner: a scikit-learn estimator or, for a decision tree, a bit-identical predictor that
        does not need scikit-learn.
    calibration
        Calibration of its probabilities.
    metadata
        Metadata of the training data.
    novelty
        The model for baskets with many new products, as ``calibration.new_products`` says; None for
        most models.
    history
        The customers' labelled baskets, for a model with the group ``customer``: a table of
        :func:`basketwise.features.history.history_of`. None: every customer is unknown.

    Examples
    --------
    >>> import basketwise as bw
    >>> model = bw.load("ws")
    >>> line = {"BASKET_ID": 1, "PROD_CODE": "PRD0900001", "SPEND": 1.5, "QUANTITY": 1}
    >>> model.predict([line])["predicted_sensitivity"][0] in ("Low", "Medium", "High")
    True
    >>> model.index.columns[0]
    'PROD_CODE'
    """

    estimator: Predictor
    calibration: Calibration
    metadata: Metadata
    lookup: IndexLookup | None
    history: pl.DataFrame | None = None
    novelty: Predictor | None = None

    def __repr__(self) -> str:
        metadata = self.metadata
        return (
            f"Model({type(self.estimator).__name__}, {' + '.join(self.groups)}, "
            f"{counted(metadata.train_samples, 'training basket')}, "
            f"{counted(metadata.products, 'product')})"
        )

    @property
    def index(self) -> pl.DataFrame | None:
        """The product sensitivity index: one row per product; None for a model without one.

        Columns: PROD_CODE, PROD_NAME and the hierarchy (null where unknown), ``score_<label>``
        (Float32), ``class``, ``probability`` of that class, ``baskets`` (number of training baskets
        with the product).
        """
        return self.lookup.index if self.lookup else None

    @property
    def products(self) -> list[str]:
        """The product codes of the training data; empty for a model without a product index."""
        index = self.index
        return [] if index is None else index.filter(pl.col(BASKETS) > 0)[PROD_CODE].to_list()

    @property
    def groups(self) -> list[str]:
        """Names of the feature groups that the estimator uses."""
        return self.metadata.groups

    @property
    def needs_history(self) -> bool:
        """Whether the model uses what customers' earlier baskets say (group ``customer``)."""
        return bool(of_history(self.groups))

    @property
    def lacks_history(self) -> bool:
        """Whether it does, and has none: every customer counts as unknown."""
        return self.needs_history and self.history is None

    def predict(self, lines: Any) -> Any:
        """Predict the price sensitivity of each basket.

        Parameters
        ----------
        lines : any table
            Raw till lines of whole baskets.

        Returns
        -------
        frame of the same kind
            ``basket_id`` (Int64, or String where an id is not a whole number),
            ``predicted_sensitivity`` (``Low``, ``Medium`` or ``High``), ``p_low``, ``p_medium``,
            ``p_high`` (Float64, sum 1), ``known_share`` (Float64, 0 to 1: share of the basket's
            lines whose product is in the training data; null for a model without a product index),
            ``certainty`` (``Unclassified`` where the product index knows of no line that says
            something, so that the class is little more than a guess; otherwise ``Classified``).

        Raises
        ------
        InputError
            If the table cannot be used, or none of its lines can.

        Warns
        -----
        UserWarning
            If lines were rejected, with their number and reasons. A basket with only rejected lines
            has no row. If at least 1 % of the lines or of the spend have products that the model
            has never seen, with these shares. If the model needs the customers' history, and has
            none.
        """
        if is_spark_frame(lines):
            return load(FRAMES["spark"])(self, lines)
        return like(self._scored(lines), lines)

    def predict_proba(self, lines: Any) -> Any:
        """Return the calibrated probabilities of each basket.

        Parameters, errors and warnings are those of :meth:`predict`.

        Returns
        -------
        frame of the same kind
            ``basket_id``, ``p_low``, ``p_medium``, ``p_high`` (Float64, sum 1), ``known_share`` as
            from :meth:`predict`.
        """
        columns = [KEY, *PROBABILITIES, KNOWN_SHARE]
        if is_spark_frame(lines):
            return load(FRAMES["spark"])(self, lines).select(*columns)
        return like(self._scored(lines)[columns], lines)

    def explain(self, lines: Any, baskets: Sequence[str | int] = ()) -> Any:
        """Predict, and explain each prediction by the basket's products.

        Parameters
        ----------
        lines : any table
            Raw till lines of whole baskets.
        baskets : sequence of str or int
            Ids of the baskets to explain; empty: all. Unknown ids are ignored.

        Returns
        -------
        frame of the same kind
            The columns of :meth:`predict`, and ``explanation`` (String).

        Raises
        ------
        InputError
            If ``baskets`` is one id instead of several, or contains a float, or as for
            :meth:`predict`.
        """
        ids, unseen = _ids(baskets), Unseen()
        cleaned = accepted_table(lines, self.rules)
        table, _ = self.score_and_explain(cleaned.lines, ids, cleaned.names, unseen)
        _warn(self, unseen)
        return like(table, lines)

    def contributions(self, lines: Any, baskets: Sequence[str | int] = ()) -> Any:
        """Return each product's exact contribution to the features of the group ``product``.

        Parameters
        ----------
        lines : any table
            Raw till lines of whole baskets.
        baskets : sequence of str or int
            Ids of the baskets; empty: all.

        Returns
        -------
        frame of the same kind
            One row per basket and product, see
            :func:`basketwise.explain.contributions.contributions`.

        Raises
        ------
        InputError
            If the model has no product index, or as for :meth:`explain`.
        """
        ids = _ids(baskets)
        cleaned = accepted_table(lines, self.rules)
        _, products = self.score_and_explain(cleaned.lines, ids, cleaned.names)
        if products is None:
            raise InputError("The model has no product index.", "Train it with the group product.")
        return like(contributions(products), lines)

    def _scored(self, lines: Any) -> pl.DataFrame:
        """Score raw lines for a caller of a method, and warn it."""
        few = self.compiled.score(lines) if self.compiled and isinstance(lines, list) else None
        if few is not None:
            warn_of_rejected(few.accepted, few.reasons, stacklevel=4)
            _warn(self, few.unseen, stacklevel=4)
            return few.table()
        unseen = Unseen()
        table = self.score(accepted_table(lines, self.rules, stacklevel=4).lines, unseen)
        _warn(self, unseen, stacklevel=4)
        return table

    def score(self, lines: pl.DataFrame, unseen: Unseen | None = None) -> pl.DataFrame:
        """Score typed lines.

        Parameters
        ----------
        lines : DataFrame
            One row per line, from :func:`basketwise.etl.lines.cleaning.settle`.
        unseen : Unseen, optional
            Takes in what of these lines the model has not seen in training.

        Returns
        -------
        DataFrame
            As for :meth:`predict`. If outliers are dropped, a basket with only outliers has no row.
        """
        indexed = self.lookup.score(lines) if self.lookup else lines
        table = features(indexed, self.recipe, history=self._add_history)
        probabilities = self._estimating.probabilities(matrix(table, self.metadata.feature_columns))
        if unseen is not None:
            stores = self.recipe.encoders if BASKET.name in self.groups else None
            unseen.add(indexed, table.height, stores)
            if self.needs_history:
                unseen.remembered += int((table[KNOWN_BASKETS] > 0).sum())
        return table[[KEY]].hstack(
            [
                pl.Series(PREDICTED, decided(probabilities), dtype=pl.String),
                *(pl.Series(n, p) for n, p in zip(PROBABILITIES, probabilities.T, strict=True)),
                *self._evidence(table),
            ]
        )

    def score_and_explain(
        self,
        lines: pl.DataFrame,
        baskets: Sequence[str] = (),
        names: pl.DataFrame | None = None,
        unseen: Unseen | None = None,
    ) -> tuple[pl.DataFrame, pl.DataFrame | None]:
        """Score typed lines and explain the predictions.

        Parameters
        ----------
        lines : DataFrame
            As for :meth:`score`.
        baskets : sequence of str
            Ids of the baskets to score, as text; empty: all. Unknown ids are ignored.
        names : DataFrame, optional
            PROD_CODE, PROD_NAME of products that may have no name in the index.
        unseen : Unseen, optional
            As for :meth:`score`.

        Returns
        -------
        scored : DataFrame
            As from :meth:`score`, with ``explanation``, see
            :func:`basketwise.explain.sentences.explain`.
        products : DataFrame or None
            From :func:`basketwise.explain.contributions.basket_products`; None for a model without
            the product index.
        """
        if baskets:
            lines = lines.filter(pl.col(BASKET_ID).cast(pl.String).is_in(list(baskets)))
        return explained(self.score(lines, unseen), lines, self.recipe, self.lookup, names)

    def _evidence(self, table: pl.DataFrame) -> list[pl.Series]:
        """Return the columns of :data:`basketwise.features.unseen.KNOWN`."""
        if self.lookup:
            return [table[name] for name in KNOWN.columns]
        nothing = (pl.Series(KNOWN_SHARE, [None], pl.Float64), pl.Series(CERTAINTY, [CLASSIFIED]))
        return [column.new_from_index(0, table.height) for column in nothing]

    @property
    def rules(self) -> Rules:
        """Rules for accepting lines: those of the training."""
        rules = self.metadata.rules
        # New lines may be written otherwise than those of the training, where their values tell.
        scoring: dict[str, object] = {
            "labelled": False,
            "decimal": "",
            "usual_decimal": "" if rules.decimal == BOTH else rules.decimal,
            "decimal_by_column": {},
            "decimal_by_table": {},
        }
        return rules.model_copy(update=scoring)

    @cached_property
    def _add_history(self) -> AddHistory | None:
        record = self.metadata.history
        if record is None or not self.needs_history:
            return None
        known = empty_history() if self.history is None else self.history
        return History(known, record.shares).add

    @cached_property
    def compiled(self) -> Compiled | None:
        """The model, prepared for few lines; None where it needs the customers' history."""
        if not Compiled.can(self.groups):
            return None
        return Compiled(self.recipe, self.lookup, self.rules, self._estimating)

    @cached_property
    def _estimating(self) -> Estimating:
        columns = self.metadata.feature_columns
        return Estimating(self.estimator, self.calibration, columns, self.novelty)

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that computes this model's features from lines."""
        metadata = self.metadata
        return Recipe(
            metadata.groups,
            metadata.encoders.model_dump(),
            metadata.outliers.treatment,
            metadata.outliers.threshold,
            (KNOWN,) if self.lookup else (),
        )


def _warn(model: Model, unseen: Unseen, *, stacklevel: int = 3) -> None:
    """Warn the caller of a method of the model."""
    if unseen.products:
        warn(f"{unseen.products}.", stacklevel=stacklevel)
    if model.lacks_history:
        warn(f"{NO_HISTORY[0].upper()}{NO_HISTORY[1:]}.", stacklevel=stacklevel)


def _ids(baskets: Iterable[str | int]) -> list[str]:
    """Return ids as text. A text is no sequence of ids, although it is one of characters."""
    if isinstance(baskets, str | bytes) or not isinstance(baskets, Iterable):
        raise InputError(f"baskets is {baskets!r}.", f"Give a list of ids: [{baskets!r}].")
    ids = list(baskets)
    wrong = next((one for one in ids if isinstance(one, float)), None)
    if wrong is not None:
        # It is no line's id, so that nothing would be found.
        raise InputError(
            f"baskets contains {wrong!r}, which is a float.",
            "Give ids as the lines have them: whole numbers or text.",
        )
    return [str(basket).strip() for basket in ids]
