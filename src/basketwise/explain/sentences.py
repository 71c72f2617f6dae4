"""An explanation in plain words: which products pointed a basket where."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from basketwise.explain.contributions import LINES, PRODUCT
from basketwise.features.groups import of_index
from basketwise.features.product_index.lookup import NEW
from basketwise.features.product_index.table import CLASS
from basketwise.schema import CLASSES, KEY, PREDICTED, PROBABILITIES, UNCLASSIFIED

EXPLANATION = "explanation"
NAMED = 5
"""Products named of each class; the others are counted."""

LONGEST_CODE = 40
"""Characters of a product code that are shown."""

_LOW, _MEDIUM, _HIGH = CLASSES


def explain(
    scored: pl.DataFrame, products: pl.DataFrame | None, groups: Sequence[str]
) -> pl.DataFrame:
    """Add a column of text that says why.

    Parameters
    ----------
    scored : DataFrame
        From :meth:`basketwise.model.Model.score`.
    products : DataFrame or None
        The same baskets' products, from
        :func:`basketwise.explain.contributions.basket_products`; None for a model without the
        group ``product``.
    groups : sequence of str
        The model's feature groups.

    Returns
    -------
    DataFrame
        ``scored`` with ``explanation`` (String, no nulls). What it says of products is exact. It
        begins with the predicted class, so that no spreadsheet takes it for a formula, whatever
        the codes that follow.
    """
    if products is None:
        return scored.with_columns(
            pl.format("{} This model does not look at products.", _lead()).alias(EXPLANATION)
        )
    sentences = [_lead(), _sides(), _balance(), _silence(), _newcomers()]
    if len(of_index(groups)) < len(groups):
        sentences.append(
            pl.lit("The model also sees spend, time and shop; their part is not shown.")
        )
    text = pl.concat_str(sentences, separator=" ", ignore_nulls=True)
    return (
        scored.lazy()
        .join(_counted(scored.lazy(), products.lazy()), on=KEY, how="left", maintain_order="left")
        .select(*scored.columns, text.alias(EXPLANATION))
        .collect(engine="in-memory")
    )


def _counted(scored: pl.LazyFrame, products: pl.LazyFrame) -> pl.LazyFrame:
    """Count each basket's lines by class, and name the products behind them.

    One row per basket: ``low``, ``medium``, ``high``, ``silent``, ``telling`` (lines), ``new``
    (products), ``sides`` (how many classes lines point to), ``own`` (lines that point to the
    predicted class), ``first`` (lines of the first side), ``to_first`` and ``to_others`` (text).
    """
    sides = (
        products.filter(pl.col(CLASS) != UNCLASSIFIED)
        .select(KEY, CLASS, LINES, NEW, _mention().alias("mention"))
        .group_by(KEY, CLASS, maintain_order=True)
        .agg(
            pl.col(LINES, NEW).sum(),
            (pl.len().cast(pl.Int64) - NAMED).alias("unnamed"),
            pl.col("mention").head(NAMED).str.join(", "),
        )
        .join(scored.select(KEY, PREDICTED), on=KEY)
        .with_columns(
            (pl.col(CLASS) == pl.col(PREDICTED)).alias("is_own"),
            _side().alias("to_side"),
        )
        # The predicted class first, then the one with most lines.
        .sort(KEY, "is_own", LINES, CLASS, descending=[False, True, True, False])
        .group_by(KEY, maintain_order=True)
        .agg(
            *(_lines_of(label).alias(label.lower()) for label in CLASSES),
            pl.col(LINES).sum().alias("telling"),
            pl.col(NEW).sum(),
            pl.len().alias("sides"),
            pl.col(LINES).filter(pl.col("is_own")).sum().alias("own"),
            pl.col(LINES).first().alias("first"),
            pl.col("to_side").first().alias("to_first"),
            pl.format(", {} {}", LINES, "to_side").slice(1).str.join("").alias("to_others"),
        )
    )
    silent = products.group_by(KEY).agg(_lines_of(UNCLASSIFIED).alias("silent"))
    return silent.join(sides, on=KEY, how="left")


def _lines_of(label: str) -> pl.Expr:
    return pl.col(LINES).filter(pl.col(CLASS) == label).sum()


def _mention() -> pl.Expr:
    """Name one product, and how often it is there."""
    # A code comes from the input: it must not move a terminal's cursor, nor fill the page.
    code = pl.col(PRODUCT).str.replace_all(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]", "?")
    shown = (
        pl.when(code.str.len_chars() > LONGEST_CODE)
        .then(pl.format("{}…", code.str.head(LONGEST_CODE)))
        .otherwise(code)
    )
    mark = pl.when(NEW).then(pl.lit("*")).otherwise(pl.lit(""))
    often = (
        pl.when(pl.col(LINES) == 1)
        .then(pl.lit(""))
        .when(pl.col(LINES) == 2)
        .then(pl.lit(" twice"))
        .otherwise(pl.format(" {} times", LINES))
    )
    return pl.concat_str(shown, mark, often)


def _side() -> pl.Expr:
    """Write where a side points to, and the products behind it."""
    more = pl.when(pl.col("unnamed") > 0).then(pl.format(", {} more", "unnamed"))
    names = pl.concat_str("mention", more.otherwise(pl.lit("")))
    return pl.format("to {} ({})", CLASS, names)


def _lead() -> pl.Expr:
    """Write the class and its probability, which is never rounded up to a certainty."""
    p = pl.max_horizontal(PROBABILITIES)
    percent, per_mille = (p * 100).round().cast(pl.Int64), (p * 1000).floor().cast(pl.Int64)
    exact = pl.format("{}.{}", per_mille // 10, per_mille % 10)
    chance = pl.when((percent < 100) | (p >= 1)).then(percent.cast(pl.String)).otherwise(exact)
    return pl.format("{} price sensitivity ({} %).", PREDICTED, chance)


def _sides() -> pl.Expr:
    telling, sides, first = pl.col("telling"), pl.col("sides"), pl.col("first")
    point = pl.when(first == 1).then(pl.lit("points")).otherwise(pl.lit("point"))
    start = (
        pl.when(telling == 1)
        .then(pl.lit("The one telling line points"))
        .when((sides == 1) & (telling == 2))
        .then(pl.lit("Both telling lines point"))
        .when(sides == 1)
        .then(pl.format("All {} telling lines point", "telling"))
        .otherwise(pl.format("Of {} telling lines, {} {}", "telling", "first", point))
    )
    word = pl.when(telling == 1).then(pl.lit("not")).otherwise(pl.lit("none"))
    none = pl.when(pl.col("own") == 0).then(pl.format(", {} to {}", word, PREDICTED))
    said = pl.concat_str(
        start, pl.lit(" "), "to_first", "to_others", none.otherwise(pl.lit("")), pl.lit(".")
    )
    return pl.when(telling.is_not_null()).then(said)


def _balance() -> pl.Expr:
    high, low, telling = pl.col("high"), pl.col("low"), pl.col("telling")
    # Not rounded up to a unanimity that is not there, nor down to a draw.
    parts = ((high - low).abs() * 100 / telling).round().cast(pl.Int64)
    parts = (
        pl.when(high == low)
        .then(0)
        .when((high == telling) | (low == telling))
        .then(100)
        .otherwise(parts.clip(1, 99))
    )
    sign = (
        pl.when(high > low)
        .then(pl.lit("+"))
        .when(high < low)
        .then(pl.lit("-"))
        .otherwise(pl.lit(""))
    )
    number = pl.format("{}{}.{}", sign, parts // 100, (parts % 100).cast(pl.String).str.zfill(2))
    return pl.format(
        f"Balance {_HIGH} minus {_LOW}: ({{}} - {{}}) / {{}} = {{}}.", high, low, telling, number
    )


def _silence() -> pl.Expr:
    silent, tells = pl.col("silent"), pl.col("telling").is_not_null()
    return (
        pl.when(tells & (silent == 0))
        .then(None)
        .when(tells & (silent == 1))
        .then(pl.lit("1 line says nothing."))
        .when(tells)
        .then(pl.format("{} lines say nothing.", silent))
        .when(silent == 1)
        .then(pl.lit("Its only line says nothing."))
        .otherwise(pl.format("All its {} lines say nothing.", silent))
    )


def _newcomers() -> pl.Expr:
    new = pl.col(NEW)
    return (
        pl.when(new == 1)
        .then(pl.lit("1 product is new to the model and judged by its group (*)."))
        .when(new > 1)
        .then(pl.format("{} products are new to the model and judged by their group (*).", new))
    )
