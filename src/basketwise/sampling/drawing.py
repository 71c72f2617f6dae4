"""A made-up sample in memory: the same lines that :func:`basketwise.sampling.generate` writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl

from basketwise.errors import InputError
from basketwise.sampling.catalogue import make_catalogue
from basketwise.sampling.shops import Shops, make_shops
from basketwise.sampling.weeks import Week, draw_week

WEEKS = 26
NOISE = 0.005
_BASKETS_PER_PRODUCT = 33
_DEFAULT_PRODUCTS = (60, 5_000)
_LIMITS = {
    "baskets": (1, 99_999_999),
    "weeks": (1, 520),
    "products": (20, 100_000),
    "seed": (0, 2**32 - 1),
}
_MAX_NOISE = 0.5


class Sample(NamedTuple):
    """A sample whose weeks are drawn when they are asked for, each by itself."""

    products: int
    shops: Shops
    draw: Callable[[int], Week]
    """Draws a week by its number; 0 is 200607."""


def draw_lines(
    *,
    baskets: int,
    seed: int,
    weeks: int = WEEKS,
    products: int | None = None,
    noise: float = NOISE,
) -> pl.DataFrame:
    """Make up till lines; arguments as for :func:`basketwise.sampling.generate`.

    One row per product of a basket, with dunnhumby's 22 columns: what the files of
    :func:`basketwise.sampling.generate` contain, one week below the other.

    Examples
    --------
    >>> lines = draw_lines(baskets=100, seed=1, weeks=2)
    >>> lines["BASKET_ID"].n_unique(), lines.width
    (100, 22)
    """
    sample = begin_sample(baskets=baskets, seed=seed, weeks=weeks, products=products, noise=noise)
    return pl.concat(sample.draw(number).lines for number in range(weeks))


def begin_sample(
    *, baskets: int, seed: int, weeks: int, products: int | None, noise: float
) -> Sample:
    """Draw products, shops and customers, and prepare the weeks; refuse arguments out of range."""
    if products is None:
        products = int(np.clip(baskets // _BASKETS_PER_PRODUCT, *_DEFAULT_PRODUCTS))
    _check_arguments(baskets=baskets, weeks=weeks, products=products, seed=seed, noise=noise)
    catalogue = make_catalogue(_generator(seed, 0), products)
    shops = make_shops(_generator(seed, 1), baskets)

    def draw(number: int) -> Week:
        return draw_week(
            _generator(seed, 2, number),
            number,
            baskets=baskets * (number + 1) // weeks - baskets * number // weeks,
            catalogue=catalogue,
            shops=shops,
            noise=noise,
        )

    return Sample(products, shops, draw)


def _generator(seed: int, *stream: int) -> np.random.Generator:
    """Return a stream of its own, so that a week does not depend on the weeks before it."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=stream))


def _check_arguments(*, noise: float, **numbers: int) -> None:
    for name, value in numbers.items():
        low, high = _LIMITS[name]
        if not low <= value <= high:
            raise InputError(
                f"A sample cannot have {name} = {value}.", f"Give a number from {low} to {high}."
            )
    if not 0 <= noise <= _MAX_NOISE:
        raise InputError(
            f"A sample cannot have noise = {noise}.", f"Give a share from 0 to {_MAX_NOISE}."
        )
    if numbers["baskets"] < numbers["weeks"]:
        raise InputError(
            f"{numbers['baskets']} baskets are too few for {numbers['weeks']} weeks.",
            "Give at least one basket a week, or fewer weeks.",
        )
