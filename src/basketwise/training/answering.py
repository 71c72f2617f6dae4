"""What fitted models answer about the test set, and about some baskets that they were fitted on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from basketwise.arrays import Matrix, Probabilities
from basketwise.concurrency import worker_pool
from basketwise.training.examples import Examples
from basketwise.training.fitting import PREDICT_ROWS, Fitted
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
    asked_here = {name: model for name, model in models.items() if name not in known}
    with worker_pool() as pool:
        of_train = _predicted(models, train, decide, pool)
        of_test = _predicted(asked_here, test, lambda answers: answers.astype(np.float32), pool)
    return {
        name: Answered(
            known[name] if name in known else of_test[name],
            float((of_train[name] == train.y).mean()),
        )
        for name in models
    }


def _predicted(
    models: Mapping[str, Model],
    rows: Examples,
    what: Callable[[Probabilities], NDArray[Any]],
    pool: Executor,
) -> dict[str, NDArray[Any]]:
    """Ask models about some rows at a time, so that no thread is left alone with the slowest."""
    starts = range(0, rows.y.size, PREDICT_ROWS)

    def ask(name: str, start: int) -> NDArray[Any]:
        fitted, columns = models[name]
        return what(fitted.predict(rows.values(columns, slice(start, start + PREDICT_ROWS))))

    answers = {name: [pool.submit(ask, name, start) for start in starts] for name in models}
    return {
        name: np.concatenate([piece.result() for piece in pieces])
        for name, pieces in answers.items()
    }
