"""An explanation in plain words: which products pointed a basket where."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from basketwise.explain.contributions import LINES, NAME, PRODUCT
from basketwise.features.groups import of_history, of_index
from basketwise.features.product_index.table import CLASS, NEW
from basketwise.schema import CLASSES, KEY, PREDICTED, PROBABILITIES, UNCLASSIFIED
from basketwise.terminal import replaced

EXPLANATION = "explanation"
NAMED = 5
"""Products named of each class; the others are counted."""

LONGEST = 40
"""Characters of a product's code, and of its name, that are shown."""

_LOW, _, _HIGH = CLASSES


_Product = tuple[str, str | None, int, str, bool]
"""Code, name, lines, class, whether it is new."""


def explain(
    scored: pl.DataFrame, products: pl.DataFrame | None, groups: Sequence[str]
) -> pl.DataFrame:
    """Add a column of text that says why.

    Parameters
    ----------
    scored : DataFrame
        From :meth:`basketwise.model.scoring.Model.score`.
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
        the codes and names that follow.
    """
    if products is None:
        reasons: pl.Expr | pl.Series = pl.lit("This model does not use products.")
    else:
        of_basket: dict[Any, list[_Product]] = defaultdict(list)
        for basket, *product in products.select(KEY, PRODUCT, NAME, LINES, CLASS, NEW).iter_rows():
            of_basket[basket].append(tuple(product))
        closing = _closing(groups)
        texts = [
            " ".join([*_sentences(predicted, of_basket[basket]), *closing])
            for basket, predicted in scored.select(KEY, PREDICTED).iter_rows()
        ]
        reasons = pl.Series(texts, dtype=pl.String)
    return scored.with_columns(pl.format("{} {}", _lead(), reasons).alias(EXPLANATION))


def _closing(groups: Sequence[str]) -> list[str]:
    """Say what else the model uses."""
    history = of_history(groups)
    others = ["spend, time and store"] if len(of_index(groups)) + len(history) < len(groups) else []
    others += ["the customer's earlier baskets"] if history else []
    used = "; and ".join(others)
    return [f"The model also uses {used}; their effect is not shown."] if used else []


def _lead() -> pl.Expr:
    """Write the class and its probability, which is never rounded up to a certainty."""
    p = pl.max_horizontal(PROBABILITIES)
    percent, per_mille = (p * 100).round().cast(pl.Int64), (p * 1000).floor().cast(pl.Int64)
    exact = pl.format("{}.{}", per_mille // 10, per_mille % 10)
    chance = pl.when((percent < 100) | (p >= 1)).then(percent.cast(pl.String)).otherwise(exact)
    return pl.format("{} price sensitivity ({} %).", PREDICTED, chance)


def _sentences(predicted: str, products: list[_Product]) -> Iterator[str]:
    """Say where a basket's products point, and how many are uninformative or new."""
    lines: Counter[str] = Counter()
    named: dict[str, list[str]] = defaultdict(list)
    unseen = 0
    for code, name, number, label, new in products:
        lines[label] += number
        if label != UNCLASSIFIED:
            named[label].append(_mention(code, name, number, new))
            unseen += new
    uninformative = lines.pop(UNCLASSIFIED, 0)
    if not lines:
        only = "Its only line is" if uninformative == 1 else f"All its {uninformative} lines are"
        yield f"{only} uninformative."
        return
    yield _directions(predicted, lines, named)
    yield _balance(lines)
    if uninformative:
        yield f"{uninformative} {'line is' if uninformative == 1 else 'lines are'} uninformative."
    if unseen == 1:
        yield "1 product is new to the model and scored by its group (*)."
    elif unseen:
        yield f"{unseen} products are new to the model and scored by their group (*)."


def _mention(code: str, name: str | None, lines: int, new: bool) -> str:
    """Name one product, and how often it is there."""
    star = "*" if new else ""
    # The quotes around a name end where it does.
    named = f' "{shortened(name).replace(chr(34), chr(39))}"' if name else ""
    times = "" if lines == 1 else " twice" if lines == 2 else f" {lines} times"
    return f"{shortened(code)}{star}{named}{times}"


def shortened(text: str) -> str:
    """Return what is shown of a code or a name.

    It comes from the input: it must not move a terminal's cursor, nor fill the page.
    """
    text = replaced(text, mark="?")
    return f"{text[:LONGEST]}…" if len(text) > LONGEST else text


def _directions(predicted: str, lines: Counter[str], named: dict[str, list[str]]) -> str:
    """Say how many lines point to each class: the predicted one first, then by their number."""
    sides = {}
    for label, mentions in named.items():
        more = [f"{len(mentions) - NAMED} more"] if len(mentions) > NAMED else []
        sides[label] = f"to {label} ({', '.join(mentions[:NAMED] + more)})"
    first, *others = sorted(sides, key=lambda label: (label != predicted, -lines[label], label))
    informative = lines.total()
    if informative == 1:
        start = "The one informative line points"
    elif others:
        point = "points" if lines[first] == 1 else "point"
        start = f"Of {informative} informative lines, {lines[first]} {point}"
    else:
        start = f"{'Both' if informative == 2 else f'All {informative}'} informative lines point"
    text = f"{start} {sides[first]}" + "".join(f", {lines[k]} {sides[k]}" for k in others)
    if predicted not in sides:
        text += f", {'not' if informative == 1 else 'none'} to {predicted}"
    return f"{text}."


def _balance(lines: Counter[str]) -> str:
    high, low, informative = lines[_HIGH], lines[_LOW], lines.total()
    hundredths = round((high - low) * 100 / informative)
    if 0 < abs(high - low) < informative:
        # Not rounded up to a unanimity that is not there, nor down to a draw.
        hundredths = min(max(abs(hundredths), 1), 99) * (1 if high > low else -1)
    number = f"{hundredths / 100:+.2f}" if hundredths else "0.00"
    return f"Balance {_HIGH} minus {_LOW}: ({high} - {low}) / {informative} = {number}."
