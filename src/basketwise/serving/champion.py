"""The predictions of the champion, and of earlier versions, on a challenger's test baskets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException

from basketwise.artifact.documents import complaint
from basketwise.errors import DependencyError, InputError
from basketwise.etl.gold.history import history_of_training
from basketwise.etl.gold.tables import TEST_FILE, class_numbers
from basketwise.etl.silver.chunks import read_chunks
from basketwise.evaluation.champion import Earlier, NotScored, Scored
from basketwise.model.archive import load_model_archive
from basketwise.schema import BASKET_ID, KEY, PREDICTED
from basketwise.scratch import scratch

Fetch = Callable[[str, Path], Path]
"""Fetches the archive of a version into a folder, checked against its digest, as
:meth:`basketwise.registry.protocol.Registry.fetch` does."""

TRIED = 3
"""Versions of the memory that are tried at most, where the archives of the best are lost."""


def score_earlier(
    fetch: Fetch,
    champion: str,
    better: Sequence[str],
    silver: Path,
    gold: Path,
    beside: Path | None = None,
    *,
    looks: int | None = None,
) -> Earlier:
    """Score the test baskets with the champion, and with the best version that can be had.

    ``better`` are the versions that are better than the champion, best first; for the rest see
    :func:`score_champion` and :class:`basketwise.evaluation.champion.Earlier`.
    """
    lost: list[NotScored] = []
    best = None
    for version in better[:TRIED]:
        result = score_champion(fetch, version, silver, gold, beside)
        if isinstance(result, Scored):
            best = result
            break
        lost.append(result)
    scored = score_champion(fetch, champion, silver, gold, beside)
    return Earlier(scored, best, tuple(lost), looks)


def score_champion(
    fetch: Fetch, version: str, silver: Path, gold: Path, beside: Path | None = None
) -> Scored | NotScored:
    """Score the test baskets with the champion, through its own index and recipe.

    ``silver`` and ``gold`` are the challenger's data; temporary files are stored ``beside`` what is
    named so, or below TMPDIR. ``NotScored`` where the champion cannot be fetched, opened or score
    every test basket: a run does not depend on an earlier one's archive.
    """
    tested = pl.read_parquet(gold / TEST_FILE, columns=[KEY], glob=False)
    ids = tested.rename({KEY: BASKET_ID})
    with scratch(beside) as folder:
        try:
            model = load_model_archive(fetch(version, folder))
        except (InputError, DependencyError) as error:
            why = error.headline.replace(f"{folder}/", "").rstrip(".")
            return NotScored(version, why, broken=True)
        if model.needs_history:
            # It knows of the customers what the challenger's training knows.
            model = replace(model, history=history_of_training(silver, gold))
        lines = (chunk.lines.join(ids, on=BASKET_ID, how="semi") for chunk in read_chunks(silver))
        try:
            scores = [model.score(own) for own in lines if own.height]
        except (Exception, PanicException) as error:
            # The lines are those that the challenger learned from, so it is the model.
            why = f"it fails on the test baskets: {complaint(error)}"
            return NotScored(version, why, broken=True)
    answers = sum(part.height for part in scores)
    if answers < tested.height:
        return NotScored(version, f"it can score only {answers:,} of {tested.height:,} baskets")
    joined = tested.join(pl.concat(scores), on=KEY, how="left", maintain_order="left")
    return Scored(version, class_numbers(joined[PREDICTED]))
