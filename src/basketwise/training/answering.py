"""What fitted models answer about the test set, and about some baskets that they were fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from basketwise.arrays import Matrix
from basketwise.concurrency import worker_pool
from basketwise.training.examples import Examples
from basketwise.training.fitting import Fitted
from basketwise.training.predictions import decide


class Model(NamedTuple):
    """A fitted model and the features that it sees."""

    fitted: Fitted
    columns: Sequence[str]


class Answered(NamedTuple):
    """A model's probabilities of the test baskets, and its accuracy on training baskets.

    The probabilities are in single precision, as they are stored and judged.
    """

    of_test: Matrix
    train_accuracy: float


def answered(models: Mapping[str, Model], test: Examples, train: Examples) -> dict[str, Answered]:
    """Ask models about test and training baskets, side by side."""

    def ask(model: Model) -> Answered:
        of_test, of_train = (
            model.fitted.predict(rows.only(model.columns).X) for rows in (test, train)
        )
        return Answered(of_test.astype(np.float32), float((decide(of_train) == train.y).mean()))

    with worker_pool() as pool:
        return dict(zip(models, pool.map(ask, models.values()), strict=True))
