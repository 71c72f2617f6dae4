"""Data sets of real lines in which products change: their class, or their code."""

from __future__ import annotations

import numpy as np
import polars as pl

from basketwise.schema import PROD_CODE, SHOP_WEEK
from benchmarks.rules.labels import by_thresholds, labelled, vote
from benchmarks.rules.lgsr import FIRST, block
from benchmarks.rules.lines import SCORE, Made, Source

_CHANGED, _NEW = 0.1, 0.3
_WEEKS, _CHANGE_AFTER = 16, 8


def drift(source: Source) -> Made:
    """Rule f1: a tenth of the products changes class in the middle of sixteen training weeks."""
    lines = source.scored(block(source, _WEEKS))
    changed_from = sorted(lines[SHOP_WEEK].unique().to_list())[_CHANGE_AFTER]
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
