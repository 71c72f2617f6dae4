"""What fitted models answer about the test set, and about some baskets that they were fitted on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

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


class Ask(Protocol):
    """Asks models about a file of gold rows, somewhere."""

    def __call__(self, models: Mapping[str, Model], /, path: Path) -> Mapping[str, Matrix]:
        """Return each model's probabilities of all baskets, in single precision."""


def answered(
    models: Mapping[str, Model],
    test: Examples,
    train: Examples,
    elsewhere: Callable[[Mapping[str, Model]], Mapping[str, Matrix]] | None = None,
) -> dict[str, Answered]:
    """Ask models about test and training baskets, side by side.

    ``elsewhere`` gives the probabilities of the test baskets, if not this process does.
    """
    known = elsewhere(models) if elsewhere and models else {}

    def ask(name: str) -> Answered:
        model = models[name]
        of_train = model.fitted.predict(train.only(model.columns).X)
        of_test = known.get(name)
        if of_test is None:
            of_test = model.fitted.predict(test.only(model.columns).X).astype(np.float32)
        return Answered(of_test, float((decide(of_train) == train.y).mean()))

    with worker_pool() as pool:
        return dict(zip(models, pool.map(ask, models), strict=True))
