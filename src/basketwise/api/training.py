"""All stages, called from Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from basketwise.api.raw_data import PathLike, as_path
from basketwise.api.training_run import TrainingRun, leaderboard
from basketwise.config import Config, SplitStrategy
from basketwise.errors import ConfigError
from basketwise.files import DEFAULT_WORKSPACE
from basketwise.plugins import FRAME_PLATFORMS, TABLES
from basketwise.plugins import load as load_plugin
from basketwise.settings import checked, load_config
from basketwise.tables import is_spark_frame

if TYPE_CHECKING:
    from basketwise.run.context import Context


def train(
    data: Any,
    *,
    workspace: PathLike = DEFAULT_WORKSPACE,
    split: SplitStrategy | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    labels: Mapping[str, str] | None = None,
    config: Config | None = None,
    tables: str | None = None,
    overwrite: bool = False,
    verbose: bool = False,
) -> TrainingRun:
    """Train, evaluate and register a model of each basket's price sensitivity.

    Does the same as ``basketwise run``: cleans the lines, learns the product index, trains the
    candidates, evaluates the winner on the test set, registers it, and approves it if it passes the
    gate. Stages whose outputs in the workspace are still valid are not run again.

    Parameters
    ----------
    data : path, list of paths, or any table
        Raw till lines with labels: a file, a folder or a glob; several of them; or a Polars, pandas
        or PyArrow frame, a DuckDB relation, a list of dictionaries; or a Spark frame, whose lines
        are cleaned and made into features on Spark.
    workspace : path or str
        Folder of the outputs, or ``s3://bucket/prefix``; created if it does not exist.
    split : {'time', 'stratified', 'customer'}, optional
        How the test set is chosen. Default: the configured strategy, ``time``.
    columns : mapping of str to str, optional
        Your own column names, by the usual ones: ``{"BASKET_ID": "TransactionID"}``, or a list of
        columns that identify a basket together. The model stores them.
    labels : mapping of str to str, optional
        Meaning of each label in the data: ``Low``, ``Medium``, ``High`` or ``Unclassified``.
    config : Config, optional
        All settings. Default: ``basketwise.toml`` and ``BASKETWISE_…`` variables, as on the
        command line.
    tables : str, optional
        Schema of Spark's catalogue, ``schema`` or ``catalog.schema``, that gets silver and gold as
        tables too, at the end: ``basketwise_silver_lines``, ``basketwise_gold_train`` and
        ``basketwise_gold_test``. Only with a Spark frame.
    overwrite : bool
        Whether those tables are replaced if they exist.
    verbose : bool
        Whether to show progress on stderr.

    Returns
    -------
    TrainingRun

    Raises
    ------
    InputError, ConfigError
        If the data or a setting cannot be used, or there is no such schema.
    WorkspaceError
        If the workspace is in use, full or not writable, or a table exists.
    DependencyError
        If the registry, the bucket or Spark fails.

    Examples
    --------
    >>> import basketwise as bw
    >>> import polars as pl
    >>> run = bw.train(bw.sample(baskets=3_000), workspace="ws", split="customer")
    >>> run.leaderboard.filter(pl.col("winner"))["accuracy"].item() > 0.9
    True
    >>> run.approved, run.version
    (True, '1')
    """
    from basketwise.run.pipeline import run_all

    settings = _with_settings(config, split, columns, labels)
    if not is_spark_frame(data) and (tables is not None or overwrite):
        raise ConfigError(
            "tables and overwrite go with a Spark frame, and the data is none.",
            "Leave them out, or read the lines with Spark: spark.table(...).",
        )
    if tables is None and overwrite:
        raise ConfigError(
            "overwrite goes with tables: the workspace's own files are replaced anyway.",
            "Leave it out, or name a schema with tables.",
        )
    with as_path(data, settings.data.own_columns) as (path, source):
        context = _context(workspace, settings, source, verbose=verbose)
        if is_spark_frame(data):
            where = os.fspath(workspace)
            platform = load_plugin(FRAME_PLATFORMS["spark"])(data, where)
            context = replace(context, platform=platform)
            if tables is not None:
                writer = load_plugin(TABLES["spark"])(
                    platform, tables, overwrite=overwrite, workspace=where, config=settings.aws
                )
                context = replace(context, tables=writer)
        result = run_all(path, context)
    return TrainingRun(
        run_id=result.run_id,
        version=result.version.version if result.version else "",
        approved=result.approved,
        leaderboard=leaderboard(result.report),
        report=result.report,
        folder=result.folder,
    )


def _with_settings(
    config: Config | None,
    split: str | None,
    columns: Mapping[str, str | Sequence[str]] | None,
    labels: Mapping[str, str] | None,
) -> Config:
    given = load_config(None, os.environ) if config is None else config
    if not isinstance(given, Config):
        raise ConfigError(
            f"config is of type {type(given).__name__}.",
            "Give a basketwise.Config: Config.model_validate({...}) makes one of a dictionary.",
        )
    for name, mapping in (("columns", columns), ("labels", labels)):
        if not isinstance(mapping, Mapping | None):
            raise ConfigError(f"{name} is {mapping!r}.", "Give a dictionary.")
    values = given.model_dump()
    if split is not None:
        values["split"]["strategy"] = split
    if columns is not None:
        values["data"]["columns"] = dict(columns)
    if labels is not None:
        values["data"]["labels"] = dict(labels)
    return checked(values)


def _context(workspace: PathLike, config: Config, source: str, *, verbose: bool) -> Context:
    from rich.console import Console

    from basketwise.platforms.local import LocalPlatform
    from basketwise.progress import Reporter
    from basketwise.run.context import Context
    from basketwise.run.workspace import open_workspace
    from basketwise.terminal import drawable

    return Context(
        workspace=open_workspace(os.fspath(workspace), config.aws),
        config=config,
        platform=LocalPlatform(),
        reporter=Reporter(Console(file=drawable(sys.stderr)), quiet=not verbose),
        command=f"basketwise.train({source!r}, workspace={os.fspath(workspace)!r})",
        source=source,
    )
