"""Boosting in stretches, so that an interrupted fit can go on.

A stretch starts from the bytes that the stretch before left, with a seed of its own. XGBoost's
generator of random numbers is not part of those bytes, so a model that was boosted in one go could
not be continued to the same end; one that always takes this way can.
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from basketwise.arrays import Labels, Matrix
from basketwise.artifact.documents import complaint
from basketwise.notices import logger
from basketwise.training.boosters import check_booster, dump_booster, load_booster
from basketwise.training.checkpoints import Checkpoints
from basketwise.training.trial import know, try_booster

if TYPE_CHECKING:
    from xgboost import Booster, DMatrix, XGBClassifier


LOG = logger(__name__)

PROGRESS = struct.Struct("<dQ")

MANY = 1_000_000
"""Rows from which a fit that is to take one thread takes more: it is the last to end."""
THREADS = 4
"""As many whatever the machine has: what is added up first must not depend on it."""


UNUSABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)
"""What a document of the wrong form leads to."""


class Progress(NamedTuple):
    """A boosted model before its last round."""

    seconds: float
    rounds: int
    booster: bytes
    """XGBoost's JSON; empty before the first round."""


def boost(
    model: XGBClassifier, X: Matrix, y: Labels, stretch: int, checkpoints: Checkpoints, piece: str
) -> float:
    """Fit an XGBoost classifier in place, some rounds at a time; return the seconds it took.

    With no more rounds in all than ``stretch`` this is what ``model.fit(X, y)`` does, but for the
    number of threads where there are :data:`MANY` rows. The seed of
    the first stretch is the model's ``random_state``, and each later one's is higher by one. All
    stretches but the last are stored in the checkpoints under the name of the piece, each in place
    of the one before; the seconds before an interruption count too.
    """
    import xgboost

    started = time.perf_counter()
    total = model.get_num_boosting_rounds()
    examples = np.unique(y, return_index=True)[1]
    # Settings that XGBoost refuses are refused here, before the work.
    adopt(model, None, X[examples], y[examples])
    settings = _settings(model)
    if model.n_jobs == 1 and len(y) >= MANY:
        settings["n_jobs"] = THREADS
    seed = settings.pop("random_state") or 0
    earlier, done, raw = stored_progress(checkpoints, piece) or Progress(0.0, 0, b"")
    booster = None
    with xgboost.config_context(verbosity=model.verbosity):
        matrix = _matrix(model, X, y, settings.get("n_jobs"))
        while booster is None or done < total:
            booster = xgboost.train(
                settings | {"random_state": seed + done // stretch},
                matrix,
                min(stretch, total - done),
                early_stopping_rounds=model.early_stopping_rounds,
                xgb_model=bytearray(raw) if raw else None,
            )
            done += stretch
            if done < total:
                raw = dump_booster(booster)
                # It was made here, so that it is no danger to this process.
                know(raw)
                seconds = earlier + time.perf_counter() - started
                store_progress(checkpoints, piece, Progress(seconds, done, raw))
    adopt(model, booster, X[examples], y[examples])
    return earlier + time.perf_counter() - started


def adopt(model: XGBClassifier, booster: Booster | None, X: Matrix, y: Labels) -> None:
    """Make a classifier of a booster: a fit of no rounds, on a row of each class."""
    total = model.n_estimators
    # Not by set_params: on a fitted model it breaks a list of eval_metric.
    model.n_estimators = 0
    model.fit(X, y, xgb_model=booster)
    model.n_estimators = total


def _settings(model: XGBClassifier) -> dict[str, Any]:
    """Return the settings as ``XGBClassifier.fit`` hands them on."""
    settings: dict[str, Any] = model.get_xgb_params()
    if model.n_classes_ > 2:
        settings["num_class"] = model.n_classes_
    if "seed" in settings:
        # XGBoost's other name for it, and the stronger one.
        settings["random_state"] = settings.pop("seed")
    return settings


def _matrix(model: XGBClassifier, X: Matrix, y: Labels, threads: int | None) -> DMatrix:
    """Make the matrix that ``XGBClassifier.fit`` would make, but once for all stretches."""
    import xgboost

    options = {
        "label": y,
        "missing": model.missing,
        "nthread": threads,
        "feature_types": model.feature_types,
        "feature_weights": model.feature_weights,
        "enable_categorical": model.enable_categorical,
    }
    if model.tree_method in ("hist", "auto", None) and model.booster != "gblinear":
        return xgboost.QuantileDMatrix(X, max_bin=model.max_bin, **options)
    return xgboost.DMatrix(X, **options)


def store_progress(checkpoints: Checkpoints, piece: str, progress: Progress) -> None:
    """Store a model that is not boosted to its end."""
    *numbers, booster = progress
    checkpoints.store(_unfinished(piece), PROGRESS.pack(*numbers) + booster)


def stored_progress(checkpoints: Checkpoints, piece: str) -> Progress | None:
    """Return a model that was not boosted to its end; None if there is none.

    It is checked as one from elsewhere is: XGBoost reads whatever it is given.
    """
    payload = checkpoints.load(_unfinished(piece))
    if payload is None:
        return None
    try:
        seconds, rounds = PROGRESS.unpack_from(payload)
        booster = payload[PROGRESS.size :]
        try_booster(booster, check_booster(booster))
        if load_booster(booster, 1).num_boosted_rounds() != rounds:
            raise ValueError("it has another number of rounds")
    except UNUSABLE as error:
        LOG.warning(
            "The progress of %s cannot be used; it is trained again: %s", piece, complaint(error)
        )
        return None
    return Progress(seconds, rounds, booster)


def remove_progress(checkpoints: Checkpoints, piece: str) -> None:
    """Remove the progress of a model that is finished and stored itself."""
    checkpoints.remove(_unfinished(piece))


def _unfinished(piece: str) -> str:
    return f"{piece}-rounds"
