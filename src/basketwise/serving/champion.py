"""The champion's predictions on a challenger's test baskets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException

from basketwise.artifact.documents import complaint
from basketwise.errors import DependencyError, InputError
from basketwise.etl.chunks import read_chunks
from basketwise.etl.history import history_of_training
from basketwise.etl.tables import TEST_FILE, class_numbers
from basketwise.evaluation.champion import NotScored, Scored
from basketwise.model.archive import load_model_archive
from basketwise.registry.protocol import Registry
from basketwise.schema import BASKET_ID, KEY, PREDICTED
from basketwise.scratch import scratch


def score_champion(
    registry: Registry, version: str, silver: Path, gold: Path, beside: Path | None = None
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
            model = load_model_archive(registry.fetch(version, folder))
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
