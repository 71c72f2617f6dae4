"""The winner's algorithm on every split.

A model that does well on the latest weeks, on unseen customers and on a random sample generalises;
one that does well on a single split may not.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np

from basketwise.config import Config, ModelName, SplitConfig, SplitStrategy
from basketwise.errors import ConfigError, InputError
from basketwise.etl.gold.cohorts import CUSTOMER, read_cohorts, units_of
from basketwise.etl.gold.stage import run_gold
from basketwise.etl.gold.tables import HIDDEN_FILE, TEST_FILE, TRAIN_FILE
from basketwise.evaluation.intervals import Bootstrap, resample
from basketwise.progress import Tick
from basketwise.report.types.scores import SplitScores
from basketwise.training.examples import read_examples
from basketwise.training.fitting import fit
from basketwise.training.predictions import decide


def score_other_splits(
    silver: Path, scratch: Path, algorithm: ModelName, config: Config, tick: Tick
) -> list[SplitScores]:
    """Retrain index and model on each split that was not chosen, and score its test set.

    The winner's algorithm is fitted on each split's whole training set, and not calibrated.
    ``scratch`` is an empty folder for the gold files. One row a split; where the data does not
    allow it, the reason instead of scores.
    """
    others: list[SplitStrategy] = [
        name for name in get_args(SplitStrategy) if name != config.split.strategy
    ]
    rows = []
    for done, strategy in enumerate(others):
        tick("other splits", done, len(others))
        try:
            rows.append(_score(silver, scratch / strategy, strategy, algorithm, config))
        except (ConfigError, InputError) as error:
            rows.append(
                SplitScores(
                    strategy=strategy,
                    chosen=False,
                    train_baskets=0,
                    test_baskets=0,
                    accuracy=None,
                    macro_f1=None,
                    reason=error.headline,
                )
            )
    tick("other splits", len(others), len(others))
    return rows


def _score(
    silver: Path, folder: Path, strategy: SplitStrategy, algorithm: ModelName, config: Config
) -> SplitScores:
    gold, scratch = folder / "gold", folder / "scratch"
    gold.mkdir(parents=True)
    scratch.mkdir()
    split = SplitConfig.model_validate(config.split.model_dump() | {"strategy": strategy})
    metadata = run_gold(
        silver, gold, scratch, config.model_copy(update={"split": split}), lambda *_: None
    )
    columns = metadata.feature_columns
    train = read_examples(gold / TRAIN_FILE, columns, gold / HIDDEN_FILE)
    test = read_examples(gold / TEST_FILE, columns)
    predicted = decide(fit(algorithm, train, config.training).predict(test.X).astype(np.float32))
    settings = config.evaluation
    customers = read_cohorts(gold)[CUSTOMER]
    resampled = resample(
        test.y,
        {algorithm: predicted},
        units_of(customers) if settings.resample == "customers" else None,
        Bootstrap(settings.resamples, settings.confidence, config.training.random_state),
    )
    return SplitScores(
        strategy=strategy,
        chosen=False,
        train_baskets=metadata.train_samples,
        test_baskets=test.y.size,
        accuracy=resampled.accuracy(algorithm),
        macro_f1=resampled.macro_f1(algorithm),
        reason=None,
    )
