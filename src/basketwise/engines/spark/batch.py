"""Batch scoring on Spark: files or a table in, a Parquet folder or a table out."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from basketwise.config import Config
from basketwise.engines.spark.reading import open_files
from basketwise.engines.spark.scoring import REPORT, GroupReport, scored
from basketwise.engines.spark.session import failures, reason, spark_session
from basketwise.engines.spark.snapshots import open_table, pinned
from basketwise.engines.spark.survey import Surveyed, survey_files, survey_frame
from basketwise.errors import ConfigError, WorkspaceError
from basketwise.etl.raw.table_name import table_name
from basketwise.features.unseen import Unseen
from basketwise.model.scoring import Model
from basketwise.progress import Tick
from basketwise.schema import CLASSES
from basketwise.serving.batch import BatchResult, nothing_known, scoring_settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def predict(
    data: str,
    out: str,
    scorer: Model,
    config: Config,
    tick: Tick,
    *,
    url: str = "",
    allow_unknown: bool = False,
) -> BatchResult:
    """Score raw files or a table on Spark.

    Parameters
    ----------
    data : str
        Files, a folder or a glob, at a path or address that every executor reaches; or a table
        (``schema.table``, ``catalog.schema.table``), read at the snapshot that it has when this
        begins, or at the one that is named: ``schema.table@v7``.
    out : str
        A folder for Parquet files, or a table; neither may exist. One row per basket, in no certain
        order, with the columns of :meth:`basketwise.model.scoring.Model.predict`.
    scorer : Model
        The model.
    config : Config
        As for :func:`basketwise.serving.batch.predict`.
    tick : callable
        Called with the progress.
    url : str
        See :func:`basketwise.engines.spark.session.spark_session`.
    allow_unknown : bool
        Score the data even if the model knows none of its products.

    Returns
    -------
    BatchResult
        As on one machine.

    Raises
    ------
    InputError
        If the data cannot be used, or has no product that the model knows.
    ConfigError
        If ``data.products`` is set: product files are read on one machine only.
    WorkspaceError
        If ``out`` exists, names a snapshot, or cannot be written.
    DependencyError
        If there is no session, or Spark fails.
    """
    if config.data.products:
        raise ConfigError(
            "Spark reads no product file (--products, data.products).",
            "Join names and hierarchy to the lines, or score with --engine local.",
        )
    settings, rules = scoring_settings(scorer, config)
    with spark_session(url) as session, failures():
        refuse_existing(session, out)
        snapshot = None
        if table := table_name(data):
            table = pinned(session, table)
            snapshot = table.snapshot
            surveyed = survey_frame(open_table(session, table), rules)
        else:
            surveyed = survey_files(open_files(session, reachable(data)), rules, settings)
        tick("survey", 1, 2)
        result = _score(scorer, surveyed, out, allow_unknown=allow_unknown)
        tick("scoring", 2, 2)
    return replace(result, snapshot=snapshot)


def reachable(path: str) -> str:
    """Return a path as Spark's session, which may have another working directory, has it."""
    return path if "://" in path or path.startswith("dbfs:") else str(Path(path).absolute())


def refuse_existing(session: SparkSession, out: str) -> None:
    """Refuse an output that exists, before hours of work.

    Raises
    ------
    WorkspaceError
        If it does.
    """
    if table := table_name(out):
        if table.snapshot is not None:
            raise WorkspaceError(
                f"--out {out!r} names a snapshot.", f"Give the name alone: {table.name}"
            )
        exists = bool(session.catalog.tableExists(table.quoted))
    else:
        exists = "://" not in out and Path(out).exists()
    if exists:
        raise WorkspaceError(
            f"--out {out!r} exists already.", "Give another name; Spark replaces nothing."
        )


def _score(scorer: Model, surveyed: Surveyed, out: str, *, allow_unknown: bool) -> BatchResult:
    """Score once, look at the reports, and write the rows."""
    result = scored(scorer, surveyed, reported=True)
    # Where a service keeps nothing, the same is computed twice.
    with suppress(Exception):
        result = result.persist()
    reported = result.filter(f"{REPORT} IS NOT NULL").selectExpr(REPORT).collect()
    # In an order that tasks do not change, so that sums of money do not change either.
    reports = [GroupReport.of(text) for text in sorted(row[0] for row in reported)]
    unseen, refused, predicted = Unseen(), Counter(surveyed.rejected), Counter[str]()
    for report in reports:
        unseen.take(report.unseen)
        refused.update(report.rejected)
        predicted.update(report.predicted)
    if unseen.is_everything and not allow_unknown:
        raise nothing_known(unseen)
    rows = result.filter(f"{REPORT} IS NULL").drop(REPORT)
    _write(rows, out)
    with suppress(Exception):
        result.unpersist()
    return BatchResult(
        out,
        predicted.total(),
        {label: predicted[label] for label in CLASSES},
        sum(report.uncertain for report in reports),
        surveyed.lines,
        dict(sorted(refused.items())),
        sum(report.incomplete for report in reports),
        unseen,
    )


def _write(rows: DataFrame, out: str) -> None:
    try:
        if table := table_name(out):
            rows.write.saveAsTable(table.quoted)
        else:
            rows.write.parquet(reachable(out))
    except Exception as error:
        raise WorkspaceError(
            f"Spark cannot write {out!r}: {reason(error)}",
            "Give a folder that every executor can write to and that does not exist yet, or the "
            "name of a new table.",
        ) from error
