"""Explaining what a model has predicted: which products of a basket decided it."""

from __future__ import annotations

import polars as pl

from basketwise.explain.contributions import basket_products
from basketwise.explain.sentences import explain
from basketwise.features.product_index.lookup import IndexLookup
from basketwise.features.recipe import Recipe
from basketwise.schema import PROD_CODE


def explained(
    scored: pl.DataFrame,
    lines: pl.DataFrame,
    recipe: Recipe,
    lookup: IndexLookup | None,
    names: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Explain predictions.

    Parameters
    ----------
    scored : DataFrame
        From :meth:`basketwise.model.scoring.Model.score`.
    lines : DataFrame
        The lines that were scored.
    recipe, lookup
        Of the model.
    names : DataFrame, optional
        PROD_CODE, PROD_NAME of products that may have no name in the index.

    Returns
    -------
    scored, products
        As from :meth:`basketwise.model.scoring.Model.score_and_explain`.
    """
    products = None
    if lookup is not None:
        known = lookup.names
        if names is not None and names.height:
            known = pl.concat([known, names.select(known.columns)]).unique(PROD_CODE, keep="first")
        products = basket_products(lines, recipe, lookup.score, known)
    return explain(scored, products, list(recipe.groups)), products
