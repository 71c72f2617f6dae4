"""XGBoost's own estimator for Spark, fitted on the rows of gold, which its tasks read themselves.

Each of its workers reads a range of the rows, in the order of the files: nothing is shuffled, and
the same number of workers sees the same rows. See :mod:`basketwise.engines.spark.rows`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from basketwise.config import TrainingConfig
from basketwise.engines.spark.exchange import Exchange
from basketwise.engines.spark.frames import documents, mapped
from basketwise.engines.spark.rows import COLUMNS, FEATURES, LABEL, RowReader, divided
from basketwise.engines.spark.session import failures, reason
from basketwise.engines.spark.tables import numbered
from basketwise.errors import ConfigError, DependencyError
from basketwise.training.boosters import dump_booster
from basketwise.training.candidates import build
from basketwise.training.distributed import XGBOOST, Boosted, TrainingRows
from basketwise.training.record import DistributedFit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from xgboost import XGBClassifier

ESTIMATOR = "xgboost.spark.SparkXGBClassifier"
LOGGERS = ("XGBoost-PySpark", "SparkXGBClassifier")

OWN = ("n_jobs", "nthread", "enable_categorical")
"""Parameters that the estimator sets itself: a worker has the threads of a task."""
IMPLIED = ("binary:logistic", "multi:softprob")
"""Objectives that the estimator takes of itself: the default, and what it means for three classes.
"""

PATIENCE = 60.0
"""Seconds within which as many tasks can run side by side as there shall be workers."""
PAUSE = 0.5


@dataclass(frozen=True)
class SparkBoost:
    """Boosts on a session, as :data:`basketwise.training.distributed.Boost`.

    Attributes
    ----------
    session
        A classic one.
    exchange
        Hands the files of gold to the tasks.
    workers
        Tasks that it runs in; 0: as many as the cluster runs at a time.
    """

    session: SparkSession
    exchange: Exchange
    workers: int = 0

    def __call__(self, model: XGBClassifier, rows: TrainingRows) -> Boosted:
        """Fit the estimator.

        Raises
        ------
        ConfigError
            If there is no room for so many workers.
        DependencyError
            If Spark, or XGBoost in its tasks, failed.
        """
        files = tuple(self.exchange.offer(path) for path in rows.files)
        reader = RowReader(self.exchange, files, rows.columns, rows.without_new)
        with _failures(), quiet():
            # The first job; executors are there then.
            told = documents(numbered(self.session, len(files)), reader.count)
            told.sort(key=lambda document: document["number"])
            workers = available_workers(self.session, self.workers)
            ranges = divided([document["rows"] for document in told], workers)
            frame = mapped(numbered(self.session, workers), partial(reader.frames, ranges), COLUMNS)
            fitted = estimator_of(model, workers).fit(frame)
        baskets = sum(document["used"] for document in told)
        return Boosted(
            dump_booster(fitted.get_booster()),
            DistributedFit(estimator=ESTIMATOR, baskets=baskets, workers=workers),
        )


def estimator_of(model: XGBClassifier, workers: int) -> Any:
    """Return XGBoost's estimator for Spark with the parameters of an untrained classifier.

    Raises
    ------
    ConfigError
        If it does not take one of them.
    """
    from xgboost.spark import SparkXGBClassifier

    given = {name: value for name, value in model.get_params().items() if value is not None}
    for name in OWN:
        given.pop(name, None)
    if given.get("objective") in IMPLIED:
        del given["objective"]
    if "seed" in given:
        # XGBoost's other name for it, and the stronger one.
        given["random_state"] = given.pop("seed")
    # Each round's loss would go to the executors' logs.
    options: dict[str, Any] = {"features_col": FEATURES, "label_col": LABEL, "verbose": False}
    try:
        estimator = SparkXGBClassifier(num_workers=workers, **options | given)
        # Else it would say so after the cross-validation.
        estimator._validate_params()
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"XGBoost's estimator for Spark does not take training.xgboost: {reason(error)}",
            "Leave the parameter out, or set training.xgboost_on_spark to false.",
        ) from error
    return estimator


def check_session(session: SparkSession, config: TrainingConfig) -> None:
    """Refuse, before anything is run, what would fail after the cross-validation.

    Raises
    ------
    ConfigError
        If XGBoost's estimator cannot work in the session, or does not take a parameter.
    DependencyError
        If it cannot be imported.
    """
    if ".connect." in type(session).__module__:
        raise ConfigError(
            "training.xgboost_on_spark needs a classic session: XGBoost's estimator works with a "
            "SparkContext, which Spark Connect does not have.",
            "Give --spark local[2] or spark://HOST:PORT, submit the command to the cluster, or set "
            "training.xgboost_on_spark to false.",
        )
    settings = session.sparkContext.getConf()
    elastic = settings.get("spark.dynamicAllocation.enabled", "false") == "true"
    if elastic and not settings.get("spark.master", "").startswith("local"):
        raise ConfigError(
            "training.xgboost_on_spark needs executors that stay: Spark starts no barrier while "
            "spark.dynamicAllocation.enabled is true.",
            "Set it to false, and spark.executor.instances to a number.",
        )
    with quiet():
        try:
            estimator_of(cast("XGBClassifier", build(XGBOOST, config, 1)), 1)
        except ImportError as error:
            raise DependencyError(
                f"XGBoost's estimator for Spark cannot be imported ({error}).",
                "Install XGBoost's and pyspark's own requirements.",
            ) from error


def available_workers(session: SparkSession, wanted: int) -> int:
    """Return for how many workers there is room at the same time, or those that are wanted.

    Raises
    ------
    ConfigError
        If there is no room for all that are wanted. Spark would ask for ten minutes.
    """
    from xgboost.spark.utils import _get_max_num_concurrent_tasks

    end = time.monotonic() + PATIENCE
    room = _get_max_num_concurrent_tasks(session.sparkContext)
    while room < max(wanted, 1) and time.monotonic() < end:
        time.sleep(PAUSE)
        room = _get_max_num_concurrent_tasks(session.sparkContext)
    if room < max(wanted, 1):
        raise ConfigError(
            f"training.xgboost_workers is {wanted}, and the cluster runs {room} tasks at a time.",
            f"Set it to {room} or less (0: as many as there is room for), or add executors.",
        )
    return wanted or int(room)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep XGBoost's estimator from telling on stderr what it does; warnings remain."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _failures() -> Iterator[None]:
    """Do as :func:`failures`, with advice on what fails in the JVM."""
    from py4j.protocol import Py4JJavaError

    with failures():
        try:
            yield
        except Py4JJavaError as error:
            said = str(error.java_exception.getMessage()).strip().splitlines()
            raise DependencyError(
                f"XGBoost failed on Spark: {next(iter(said), 'no reason is given')}",
                "The log of Spark, and those of its executors, say more. Executors have to reach "
                "the driver, and each other, at any port.",
            ) from error
