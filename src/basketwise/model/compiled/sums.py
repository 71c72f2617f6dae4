"""The features of one basket from its lines, one function per group.

They are those of the modules of :mod:`basketwise.features`, and add up in the same order: one line
after the other. From :data:`BLOCK` lines on, and for deviations, Polars adds up in an order of its
own, and is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import polars as pl

from basketwise.features.basket import ENCODED, TIMES, UNKNOWN_TIME, UNSEEN
from basketwise.features.posterior import SMALL
from basketwise.features.price import BELOW, CHEAP
from basketwise.features.product import BALANCE, SHARE_NEW
from basketwise.features.season import WEEKS
from basketwise.model.compiled.plain import NotPlainError
from basketwise.model.compiled.products import Said
from basketwise.schema import CLASSES, INDEX_LABELS

BLOCK = 128
"""Polars adds up so many numbers at once, in lanes."""

Numbers = Sequence[float]
Features = dict[str, float]
Codes = Mapping[str, Mapping[str, int]]
"""The encoders, each category with its number."""

_LABELS = tuple(label.lower() for label in INDEX_LABELS)


@dataclass(frozen=True)
class BasketLines:
    """The lines of one basket, outliers treated, in their order."""

    products: Sequence[str]
    spend: Numbers
    quantity: Numbers
    times: Mapping[str, Sequence[int | None]]
    """Of :data:`basketwise.features.basket.TIMES`, by feature."""
    stores: Mapping[str, Sequence[str | None]]
    """Of :data:`basketwise.features.basket.ENCODED`, by feature without its suffix."""
    said: Sequence[Said]
    """Empty for a model without a product index."""


def total(numbers: Numbers) -> float:
    """Add up as Polars does."""
    if len(numbers) < BLOCK:
        return reduce(add, numbers, 0.0)
    return float(pl.Series(numbers, dtype=pl.Float64).sum())


def deviation(numbers: Sequence[float | None]) -> float:
    """Return the sample standard deviation, 0 of fewer than two."""
    return pl.Series(numbers, dtype=pl.Float64).std(ddof=1) or 0.0  # type: ignore[return-value]


def basket(lines: BasketLines, codes: Codes) -> Features:
    """Group ``basket``."""
    size, different = len(lines.spend), len(set(lines.products))
    spent, bought = total(lines.spend), total(lines.quantity)
    features: Features = {
        "total_spend": spent,
        "avg_spend": spent / size,
        "spend_std": deviation(lines.spend),
        "basket_size": size,
        "total_quantity": bought,
        "avg_quantity": bought / size,
        "unique_products": different,
        "spend_per_item": spent / size,
        "quantity_per_product": bought / different,
    }
    for name in TIMES:
        features[name] = _latest(lines.times[name], UNKNOWN_TIME)
    for name in ENCODED:
        known = [value for value in lines.stores[name] if value is not None]
        features[f"{name}_encoded"] = codes[name].get(max(known), UNSEEN) if known else UNSEEN
    return features


def product(lines: BasketLines, codes: Codes) -> Features:
    """Group ``product``."""
    size = len(lines.said)
    counts = [0] * len(INDEX_LABELS)
    for said in lines.said:
        counts[said.label] += 1
    telling, silent = size - counts[-1], counts[-1]
    shares = [count / telling if telling else 0.0 for count in counts[:-1]]
    features: Features = {
        f"product_score_{label}": total([said.scores[k] for said in lines.said]) / size
        for k, label in enumerate(_LABELS[: len(CLASSES)])
    }
    for label, count, share in zip(_LABELS, counts, (*shares, silent / size), strict=True):
        features[f"product_count_{label}"] = count
        features[f"product_share_{label}"] = share
    low, _, high = shares
    features[BALANCE] = high - low
    features[SHARE_NEW] = sum(said.new for said in lines.said) / size
    return features


def posterior(lines: BasketLines, codes: Codes) -> Features:
    """Group ``posterior``."""
    totals, features = _expected("posterior", [1.0] * len(lines.said), lines.said)
    low, medium, high, silent = totals
    # Polars adds four columns in pairs.
    features["posterior_telling"] = 1 - silent / ((low + medium) + (high + silent))
    return features


def weighted(lines: BasketLines, codes: Codes) -> Features:
    """Group ``weighted``."""
    features: Features = {}
    for prefix, amounts in (("spend", lines.spend), ("quantity", lines.quantity)):
        weights = [max(amount, 0.0) for amount in amounts]
        features |= _expected(prefix, weights, lines.said)[1]
    return features


def _expected(prefix: str, weights: Numbers, said: Sequence[Said]) -> tuple[list[float], Features]:
    """Return the weighted sums of the probabilities, and the shares that follow."""
    rows = [
        (weight, weight * weight, *own.posterior) for weight, own in zip(weights, said, strict=True)
    ]
    totals = [total([row[0] * row[2 + k] for row in rows]) for k in range(len(INDEX_LABELS))]
    a = total([w2 * ((hi + lo) - (hi - lo) * (hi - lo)) for _, w2, lo, _, hi, _ in rows])
    b = total([w2 * (hi - lo) * un for _, w2, lo, _, hi, un in rows])
    c = total([w2 * (1 - un) * un for _, w2, _, _, _, un in rows])
    low, medium, high, _ = totals
    # Polars halves three columns as one and two.
    telling = low + (medium + high)
    if not telling > SMALL:
        shares = [0.0] * 5
    else:
        balance = (high - low) / telling
        variance = max(a - 2 * balance * b + balance * balance * c, 0.0)
        shares = [*(own / telling for own in totals[:3]), balance, math.sqrt(variance) / telling]
    names = (*_LABELS[: len(CLASSES)], "balance", "doubt")
    return totals, {f"{prefix}_{name}": share for name, share in zip(names, shares, strict=True)}


def price(lines: BasketLines, codes: Codes) -> Features:
    """Group ``price``."""
    own = _ratios(lines, [said.own_price for said in lines.said])
    group = _ratios(lines, [said.group_price for said in lines.said])
    return {
        **_described("own_price", own),
        **_described("group_price", group),
        "own_price_below": _share_up_to(BELOW, own),
        "group_price_cheap": _share_up_to(CHEAP, group),
        "group_price_ratio": _mean(group, 1.0),
    }


def _ratios(lines: BasketLines, usual: Sequence[float | None]) -> list[float | None]:
    ratios: list[float | None] = []
    for spend, quantity, own in zip(lines.spend, lines.quantity, usual, strict=True):
        if own is None or spend <= 0 or quantity <= 0:
            ratios.append(None)
            continue
        if own <= 0:
            raise NotPlainError
        ratio = spend / quantity / own
        if not 0 < ratio < math.inf:
            raise NotPlainError
        ratios.append(ratio)
    return ratios


def _described(prefix: str, ratios: Sequence[float | None]) -> Features:
    """Describe logarithms; they are 0 where no line has a ratio."""
    logarithms = [ratio if ratio is None else math.log(ratio) for ratio in ratios]
    known = [logarithm for logarithm in logarithms if logarithm is not None]
    return {
        f"{prefix}_mean": _mean(logarithms, 0.0),
        f"{prefix}_min": min(known, default=0.0),
        f"{prefix}_max": max(known, default=0.0),
        f"{prefix}_std": deviation(logarithms),
    }


def _mean(numbers: Sequence[float | None], absent: float) -> float:
    """Average what is not missing, in the order that Polars takes where something is."""
    if all(number is None for number in numbers):
        return absent
    return float(pl.Series(numbers, dtype=pl.Float64).mean())  # type: ignore[arg-type]


def _share_up_to(limit: float, ratios: Sequence[float | None]) -> float:
    known = [ratio for ratio in ratios if ratio is not None]
    return sum(ratio <= limit for ratio in known) / len(known) if known else 0.0


def season(lines: BasketLines, codes: Codes) -> Features:
    """Group ``season``."""
    week = _latest(lines.times["shop_week"], 0) % 100
    if week <= 0:
        return {"season_sin": 0.0, "season_cos": 0.0}
    angle = (week - 1) * (2 * math.pi / WEEKS)
    return {"season_sin": math.sin(angle), "season_cos": math.cos(angle)}


def _latest(times: Sequence[int | None], unknown: int) -> int:
    return max((time for time in times if time is not None), default=unknown)


GROUPS: Mapping[str, Callable[[BasketLines, Codes], Features]] = {
    "basket": basket,
    "product": product,
    "posterior": posterior,
    "weighted": weighted,
    "price": price,
    "season": season,
}
"""Every group but ``customer``, whose history is a frame."""
