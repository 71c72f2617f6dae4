"""The champion's predictions on a challenger's test baskets."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from basketwise.errors import InputError
from basketwise.etl.chunks import read_chunks
from basketwise.etl.tables import KEY, TEST_FILE
from basketwise.evaluation.findings import ChampionPredictions
from basketwise.registry.protocol import Registry
from basketwise.schema import BASKET_ID
from basketwise.serving.scorer import PREDICTED, Scorer, load_scorer
from basketwise.training.examples import class_numbers


def champion_predictions(
    registry: Registry, silver: Path, gold: Path
) -> ChampionPredictions | None:
    """Score the test baskets with the current champion, through its own index and recipe.

    Parameters
    ----------
    registry : Registry
        Where the champion is kept.
    silver, gold : Path
        The challenger's data: the lines, and which baskets are in test.

    Returns
    -------
    ChampionPredictions or None
        None where there is no champion. ``predicted`` is None where it cannot be loaded, or does
        not score every test basket.
    """
    champion = registry.champion()
    if champion is None:
        return None
    with TemporaryDirectory(prefix="basketwise-") as scratch:
        try:
            scorer = load_scorer(registry.fetch(champion.version, Path(scratch)))
        except InputError:
            return ChampionPredictions(champion.version, None)
        predicted = _score(scorer, silver, pl.read_parquet(gold / TEST_FILE, columns=[KEY]))
    return ChampionPredictions(champion.version, predicted)


def _score(
    scorer: Scorer, silver: Path, tested: pl.DataFrame
) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]] | None:
    ids = tested.rename({KEY: BASKET_ID})
    scored = []
    for chunk in read_chunks(silver):
        lines = chunk.lines.join(ids, on=BASKET_ID, how="semi")
        if lines.height:
            scored.append(scorer.score(lines))
    if not scored:
        return None
    table = tested.join(pl.concat(scored), on=KEY, how="left", maintain_order="left")
    if table[PREDICTED].null_count():
        return None
    return class_numbers(table[PREDICTED])
