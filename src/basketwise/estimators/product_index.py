"""The product sensitivity index as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from basketwise.estimators.labels import label_baskets
from basketwise.estimators.lines import Baskets
from basketwise.estimators.output import as_configured, in_order_of
from basketwise.estimators.parameters import index_config, line_rules, seed_of
from basketwise.estimators.sharing import SharedLines
from basketwise.estimators.training import Training, gather_training
from basketwise.features.groups import columns_of
from basketwise.features.product_index.learning import learn_index, learn_whole
from basketwise.features.product_index.lookup import IndexLookup, score_by_fold
from basketwise.features.recipe import Recipe, features
from basketwise.schema import BASKET_ID, FOLD, KEY, LABEL, PROD_CODE

_RECIPE = Recipe(groups=("product",), encoders={}, outliers="keep", limit=np.inf)
_FEATURES = columns_of(_RECIPE.groups)


class ProductIndex(SharedLines, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Encode baskets by the price sensitivity of their products.

    ``fit`` learns the product sensitivity index: one row per product with a score for each label,
    a class and its probability, from till lines and one label per basket. ``transform`` returns one
    row per basket: means, counts and shares over its products. The documentation page "The product
    index" describes how the index is learned.

    There are two ways to pass the data:

    - **lines in X** (``lines=None``): X is a table of till lines, one row per line. The result has
      one row per basket, sorted by ``basket_id``, with that column first.
    - **baskets in X** (``lines=table``): X is a table with one row per basket and the basket id in
      the column ``key``; the till lines are an auxiliary table, passed once. The result has one row
      per row of X, in the same order, and only features. So X and y have one row per basket
      throughout, and pipelines, ``cross_val_score`` and ``GridSearchCV`` work unchanged: ``fit``
      reads only the lines of the baskets in X.

    .. note::
        ``fit(X, y).transform(X)`` does not equal ``fit_transform(X, y)`` because a cross fitting
        scheme is used in ``fit_transform`` for encoding, as in scikit-learn's ``TargetEncoder``.

    Parameters
    ----------
    lines : table, optional
        Auxiliary table of till lines, for baskets in X. It is read once and shared by clones, not
        copied, so it must not be changed in place. After ``fit``, ``set_params(lines=...)`` sets
        the lines of new baskets.
    key : str, default="basket_id"
        Column of the basket ids: in X, if it has baskets; in lines, if they have no column
        BASKET_ID. Case-insensitive.
    columns : mapping, optional
        The column names of the lines, by the usual ones: ``{"BASKET_ID": "receipt", ...}``.
    labels : mapping, optional
        Meaning of each label: ``Low``, ``Medium``, ``High`` or ``Unclassified``. By default
        dunnhumby's labels (LA, MM, UM, XX) and these names themselves.
    duplicates : {"auto", "reject", "keep", "pieces"}, default="auto"
        What happens to a line that repeats another in every column; as ``etl.duplicates``.
    ridge, size_power, refine_rounds, refine_baskets, refine_max_lines
        How the index is learned; the settings of the section ``[index]``.
    n_folds : int, default=5
        Number of folds in the cross fitting of ``fit_transform``, 2 to 50. Folds are drawn by
        basket and do not depend on labels.
    random_state : int, RandomState instance or None, default=42
        Seed for the folds, and for sampling the baskets on which is seen what weighs a product.
        Pass an int for reproducible output across multiple function calls.

    Attributes
    ----------
    index_ : polars.DataFrame
        The product sensitivity index of all labelled baskets: one row per product, columns as in
        ``product_index.parquet``.
    classes_ : ndarray of str
        The labels that occur in the baskets, in the order Low, Medium, High, Unclassified.
    n_features_in_ : int
        Number of columns of X during ``fit``.
    feature_names_in_ : ndarray of str
        Names of the columns of X during ``fit``. ``transform`` reads the columns that it needs,
        in any order; the others may differ or be missing.

    Examples
    --------
    Synthetic lines of 400 baskets; each line repeats its basket's label:

    >>> from basketwise.sampling import draw_lines
    >>> lines = draw_lines(baskets=400, seed=1, weeks=2)
    >>> index = ProductIndex().fit(lines, lines["BASKET_PRICE_SENSITIVITY"])
    >>> index.index_.select("PROD_CODE", "class", "baskets").height
    60

    Baskets in X, for a pipeline:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> baskets = lines.group_by("BASKET_ID", maintain_order=True).first()
    >>> X, y = baskets.select("BASKET_ID"), baskets["BASKET_PRICE_SENSITIVITY"]
    >>> model = make_pipeline(ProductIndex(lines=lines), StandardScaler(), LogisticRegression())
    >>> print(f"accuracy {cross_val_score(model, X, y, cv=2).mean():.1f}")
    accuracy 0.9
    """

    def __init__(
        self,
        *,
        lines: Any = None,
        key: str = "basket_id",
        columns: Mapping[str, str] | None = None,
        labels: Mapping[Any, str] | None = None,
        duplicates: Literal["auto", "reject", "keep", "pieces"] = "auto",
        ridge: float = 1.0,
        size_power: float = 0.5,
        refine_rounds: int = 12,
        refine_baskets: int = 25,
        refine_max_lines: int = 4_000_000,
        n_folds: int = 5,
        random_state: Any = 42,
    ) -> None:
        self.lines = lines
        self.key = key
        self.columns = columns
        self.labels = labels
        self.duplicates = duplicates
        self.ridge = ridge
        self.size_power = size_power
        self.refine_rounds = refine_rounds
        self.refine_baskets = refine_baskets
        self.refine_max_lines = refine_max_lines
        self.n_folds = n_folds
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the index from all labelled baskets.

        Parameters
        ----------
        X : table
            Till lines; or baskets, if the estimator has ``lines``. A Polars, pandas or PyArrow
            frame, a DuckDB relation, any object with ``__arrow_c_stream__``.
        y : mapping, Series, frame, array or None
            One label per basket:

            - an array or Series with one label per row of X; if X has lines, each line repeats its
              basket's label;
            - by basket id: a mapping, a pandas Series with the ids as its index (named as the
              column, or of another length than X), or a frame of two columns, one of them ``key``
              or BASKET_ID;
            - None: the lines have the column BASKET_PRICE_SENSITIVITY.

            Baskets without a label are ignored.

        Returns
        -------
        ProductIndex
            The estimator itself.

        Raises
        ------
        InputError
            If X or y cannot be read or do not fit together, or there is nothing to learn from.
        ConfigError
            If a parameter is out of its range.

        Warns
        -----
        UserWarning
            If lines were rejected, or baskets in X have no lines.

        Examples
        --------
        >>> from basketwise.sampling import draw_lines
        >>> lines = draw_lines(baskets=400, seed=1, weeks=2)
        >>> index = ProductIndex().fit(lines.to_pandas())  # the lines have labels
        >>> index.classes_.tolist()
        ['Low', 'Medium', 'High', 'Unclassified']
        """
        _, training = self._gather(X, y)
        self.index_ = learn_whole(training.evidence, index_config(self))
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit the index and encode the same baskets out of fold.

        This method uses a cross fitting scheme to prevent target leakage and overfitting in
        downstream predictors. It is the recommended method for encoding training data: each
        basket is encoded by an index learned from the baskets of the other folds, so that its own
        label has no influence. Baskets without a label are encoded by the index of all baskets.

        Parameters
        ----------
        X, y
            As in :meth:`fit`.

        Returns
        -------
        frame of the same kind
            As in :meth:`transform`.

        Examples
        --------
        >>> from basketwise.sampling import draw_lines
        >>> lines = draw_lines(baskets=400, seed=1, weeks=2)
        >>> index = ProductIndex()
        >>> out_of_fold = index.fit_transform(lines)
        >>> out_of_fold.shape
        (400, 14)
        >>> out_of_fold.equals(index.transform(lines))
        False
        """
        read, training = self._gather(X, y)
        learned = learn_index(training.evidence, index_config(self))
        self.index_ = learned.whole
        own = read.lines.join(
            training.baskets.select(BASKET_ID, FOLD), on=BASKET_ID, maintain_order="left"
        )
        others = read.lines.join(training.baskets, on=BASKET_ID, how="anti")
        answers = learned.by_fold.select(PROD_CODE, FOLD, *_RECIPE.asks)
        encoded = features(own, _RECIPE, partial(score_by_fold, answers))
        if others.height:
            encoded = pl.concat([encoded, features(others, _RECIPE, self._lookup().score)])
        return self._deliver(encoded.sort(KEY), X, read.ids)

    def transform(self, X: Any) -> Any:
        """Encode baskets by the index of all labelled baskets.

        Parameters
        ----------
        X : table
            As in :meth:`fit`. Labels are not read.

        Returns
        -------
        frame of the same kind
            One row per basket, columns as in :meth:`get_feature_names_out`:
            ``product_score_<label>`` (Float64), ``product_count_<label>`` (Int32),
            ``product_share_<label>`` (Float64) and ``product_balance`` (Float64); no nulls. pandas
            for pandas, PyArrow for PyArrow, else Polars, unless ``set_output`` says otherwise. With
            lines in X: sorted by ``basket_id`` (Int64, or String where an id is not a whole
            number), which is the first column. With baskets in X: in the order of X, with its
            index if it is pandas. A basket without lines has the scores of the average product,
            and counts and shares of 0.

        Raises
        ------
        InputError
            If X cannot be read, or none of its lines or baskets can be used.

        Warns
        -----
        UserWarning
            If lines were rejected, or baskets in X have no lines.

        Examples
        --------
        >>> from basketwise.sampling import draw_lines
        >>> lines = draw_lines(baskets=400, seed=1, weeks=2)
        >>> first_week, second_week = lines.partition_by("SHOP_WEEK")
        >>> encoded = ProductIndex().fit(first_week).transform(second_week.to_pandas())
        >>> type(encoded).__name__, encoded.shape
        ('DataFrame', (200, 14))
        """
        check_is_fitted(self)
        read = self._read(X, labelled=False)
        encoded = features(read.lines, _RECIPE, self._lookup().score)
        return self._deliver(encoded, X, read.ids)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns that ``transform`` returns.

        Parameters
        ----------
        input_features : None
            Not used, present here for API consistency by convention.

        Returns
        -------
        ndarray of str
            The features; with lines in X, ``basket_id`` before them.

        Examples
        --------
        >>> from basketwise.sampling import draw_lines
        >>> lines = draw_lines(baskets=400, seed=1, weeks=2)
        >>> ProductIndex().fit(lines).get_feature_names_out()[:3].tolist()
        ['basket_id', 'product_score_low', 'product_score_medium']
        """
        check_is_fitted(self)
        key = [KEY] if self.lines is None else []
        return np.asarray([*key, *_FEATURES], dtype=object)

    def _gather(self, X: Any, y: Any) -> tuple[Baskets, Training]:
        """Read lines and labels, and collect the training data of the index."""
        config, seed = index_config(self), seed_of(self.random_state)
        baskets = self._read(X, labelled=y is None)
        table, lines, rows, _ = baskets
        if y is None:
            labels = lines.select(BASKET_ID, LABEL).unique()
        else:
            meanings = line_rules(self, labelled=True).labels
            labels = label_baskets(y, rows, table.height, meanings, self.key)
        training = gather_training(lines, labels, config, n_folds=self.n_folds, seed=seed)
        self.classes_ = np.asarray(training.classes, dtype=object)
        self.n_features_in_ = table.width
        self.feature_names_in_ = np.asarray(table.columns, dtype=object)
        return baskets, training

    def _deliver(self, encoded: pl.DataFrame, X: Any, ids: pl.Series | None) -> Any:
        if ids is not None:
            encoded = in_order_of(ids, encoded, self._lookup())
        config = getattr(self, "_sklearn_output_config", {}).get(
            "transform", get_config()["transform_output"]
        )
        return as_configured(encoded, X, config, keep_index=ids is not None)

    def _lookup(self) -> IndexLookup:
        return IndexLookup(self.index_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a table with named columns, never a matrix
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
