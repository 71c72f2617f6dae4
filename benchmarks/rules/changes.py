"""Data sets of real lines in which something changes: products' classes, codes, thresholds."""

from __future__ import annotations

import numpy as np
import polars as pl

from basketwise.schema import BASKET_ID, PROD_CODE, SHOP_WEEK
from benchmarks.rules.labels import HIGH, LOW, by_thresholds, labelled, vote
from benchmarks.rules.lgsr import FIRST, LAST_OF_WEEKS, block
from benchmarks.rules.lines import SCORE, Made, Source

_CHANGED, _NEW = 0.1, 0.3
_WEEKS = 16
_SEASON_WEEKS, _AMPLITUDE, _SAMPLED = 60, 0.3, 0.25
_WEEKS_OF_YEAR = 52


def drift(source: Source, after: int) -> Made:
    """Rules f1 and f2: a tenth of the products changes class after so many of 16 training weeks."""
    lines = source.scored(block(source, _WEEKS))
    changed_from = sorted(lines[SHOP_WEEK].unique().to_list())[after]
    rng = np.random.default_rng(5)
    telling = source.classes.filter(pl.col(SCORE).is_not_null())[PROD_CODE].to_numpy()
    changed = rng.choice(telling, int(_CHANGED * telling.size), replace=False)
    steps = pl.DataFrame({PROD_CODE: changed, "step": rng.integers(1, 3, changed.size)})
    score = pl.col(SCORE).cast(pl.Int64)
    is_changed = (pl.col(SHOP_WEEK) >= changed_from) & pl.col("step").is_not_null()
    moved = (score + 1 + pl.col("step")) % 3 - 1
    scored = lines.join(steps, on=PROD_CODE, how="left", maintain_order="left").with_columns(
        pl.when(is_changed).then(moved).otherwise(score).alias(SCORE)
    )
    labels = by_thresholds(vote(scored))
    return Made(labelled(lines.drop(SCORE), labels), FIRST)


def launches(source: Source) -> Made:
    """Rule g: three tenths of the products have another code in the test weeks: they are new."""
    lines = source.scored(block(source))
    labels = by_thresholds(vote(lines))
    codes = lines[PROD_CODE].unique().sort().to_numpy()
    new = np.random.default_rng(9).choice(codes, int(_NEW * codes.size), replace=False)
    is_new = (pl.col(SHOP_WEEK) >= FIRST) & pl.col(PROD_CODE).is_in(new.tolist())
    code = pl.when(is_new).then(pl.lit("NEW") + pl.col(PROD_CODE)).otherwise(pl.col(PROD_CODE))
    renamed = lines.drop(SCORE).with_columns(code.alias(PROD_CODE))
    return Made(labelled(renamed, labels), FIRST)


def season(source: Source) -> Made:
    """Rule h: the thresholds move with the week of the year; sixty training weeks.

    Of all baskets, a quarter is drawn.
    """
    lines = source.block(_SEASON_WEEKS, FIRST, LAST_OF_WEEKS)
    baskets = lines[BASKET_ID].unique().sort()
    drawn = baskets.filter(np.random.default_rng(3).random(baskets.len()) < _SAMPLED)
    lines = lines.filter(pl.col(BASKET_ID).is_in(drawn.implode()))
    shift = _AMPLITUDE * (2 * np.pi / _WEEKS_OF_YEAR * (pl.col(SHOP_WEEK) % 100)).sin()
    balances = vote(source.scored(lines), keep=SHOP_WEEK)
    return Made(labelled(lines, by_thresholds(balances, LOW + shift, HIGH + shift)), FIRST)
