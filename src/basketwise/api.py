"""What people call from Python: train, load, sample."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import polars as pl

from basketwise.config import Config, SplitStrategy
from basketwise.disk import write_parquet
from basketwise.errors import ConfigError, InputError
from basketwise.files import ARCHIVE, DEFAULT_WORKSPACE, MANIFEST, REPORT_HTML
from basketwise.plugins import FRAME_PLATFORMS, TABLES
from basketwise.plugins import load as load_plugin
from basketwise.scratch import scratch
from basketwise.settings import checked, load_config
from basketwise.tables import SPARK_FRAME, frame_source, is_spark_frame, read_table

if TYPE_CHECKING:
    from basketwise.model.scoring import Model
    from basketwise.report.types import LeaderboardRow, Report
    from basketwise.run.context import Context

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class TrainingRun:
    """Result of :func:`train`; displayed as the report in notebooks.

    Attributes
    ----------
    run_id
        Name of the run.
    version
        Number of the model version in the registry.
    approved
        Whether the gate approved it, so that it is the champion.
    leaderboard
        One row per model, best first: ``model``, ``kind`` (``candidate``, ``ablation``,
        ``simpler`` or ``baseline``), ``winner``, ``accuracy`` and ``macro_f1`` on the test set
        with their intervals (``…_low``, ``…_high``), ``cv_macro_f1`` (cross-validated, null for
        the baseline), ``fit_seconds``.
    report
        The content of ``report.json``.
    folder
        Folder of the run's artifacts: ``report.html``, ``model.tar.gz`` and others.

    Examples
    --------
    >>> import basketwise as bw
    >>> run = bw.train(bw.sample(baskets=3_000), workspace="ws", split="customer")
    >>> run.leaderboard["kind"].unique().sort().to_list()
    ['ablation', 'baseline', 'candidate', 'simpler']
    >>> run.model.predict(bw.sample(baskets=100, seed=7)).height
    100
    """

    run_id: str
    version: str
    approved: bool
    leaderboard: pl.DataFrame
    report: Report
    folder: Path

    @property
    def model(self) -> Model:
        """The winning model."""
        from basketwise.serving.versions import open_archive

        return open_archive(self.folder / ARCHIVE)

    def __repr__(self) -> str:
        winner = self.report["winner"]
        accuracy, state = winner["accuracy"], "approved" if self.approved else "not approved"
        return (
            f"<TrainingRun {self.run_id}: {winner['model']}, accuracy {accuracy['estimate']:.4f} "
            f"[{accuracy['low']:.4f}, {accuracy['high']:.4f}], version {self.version}, {state}>"
        )

    def _repr_html_(self) -> str:
        """Show the report in a notebook, in a frame of its own."""
        from html import escape

        page = (self.folder / REPORT_HTML).read_text(encoding="utf-8")
        return (
            f'<iframe title="Report of {escape(self.run_id)}" srcdoc="{escape(page)}" '
            'style="width: 100%; height: 40em; border: 1px solid #ccc"></iframe>'
        )


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
    with _as_path(data) as (path, source):
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


def load(
    source: PathLike = DEFAULT_WORKSPACE,
    *,
    version: str | int | None = None,
    history: PathLike | None = None,
) -> Model:
    """Load a model for scoring baskets.

    Parameters
    ----------
    source : path or str
        A workspace, local or ``s3://bucket/prefix``; or a ``model.tar.gz``, or a folder of its
        files.
    version : str or int, optional
        Number of a version in the workspace's registry. Default: the champion.
    history : path or str, optional
        File with the customers' history, for a model with the group ``customer``. Default: that of
        the model's run in the workspace, or ``customer_history.parquet`` beside the archive.

    Raises
    ------
    InputError
        If there is no such model, no version is approved, or the history cannot be used.

    Examples
    --------
    >>> import basketwise as bw
    >>> run = bw.train(bw.sample(baskets=3_000), workspace="ws", split="customer")
    >>> model = bw.load("ws")
    >>> scores = model.predict(bw.sample(baskets=100, seed=7))
    >>> scores.columns[:5]
    ['basket_id', 'predicted_sensitivity', 'p_low', 'p_medium', 'p_high']
    """
    from basketwise.serving.versions import load_version, open_archive

    known = None if history is None else Path(history).expanduser()
    location = os.fspath(source)
    path = Path(location).expanduser()
    if "://" not in location and (path.is_file() or (path / MANIFEST).is_file()):
        if version is not None:
            raise ConfigError(
                f"{location!r} is one model, and version={version!r} was given.",
                "Name a workspace to choose a version of it.",
            )
        return open_archive(path, known)
    if "://" not in location and not path.is_dir():
        raise InputError(
            f"There is no workspace and no model at {location!r}.",
            "Name a workspace, a model.tar.gz, or a folder of its files.",
        )
    from basketwise.run.workspace import open_workspace

    config = load_config(None, os.environ)
    storage = open_workspace(location, config.aws).storage
    return load_version(config, storage, "champion" if version is None else str(version), known)


def sample(baskets: int = 20_000, *, seed: int = 42) -> pl.DataFrame:
    """Generate synthetic till lines.

    Parameters
    ----------
    baskets : int
        Number of baskets, at least 100.
    seed : int
        The same seed gives the same lines.

    Returns
    -------
    DataFrame
        One row per line, with the columns and labels of dunnhumby's "Let's Get Sort-of-Real"
        files. A basket's label depends on hidden classes of its products; see
        ``basketwise sample --help``.

    Examples
    --------
    >>> import basketwise as bw
    >>> lines = bw.sample(baskets=1_000, seed=1)
    >>> lines["BASKET_ID"].n_unique()
    1000
    """
    from basketwise.sampling import draw_lines

    return draw_lines(baskets=baskets, seed=seed)


def leaderboard(report: Report) -> pl.DataFrame:
    """Return the models of a report as a table; columns as in :class:`TrainingRun`."""
    return pl.DataFrame([_leaderboard_row(row) for row in report["leaderboard"]])


def _leaderboard_row(row: LeaderboardRow) -> dict[str, Any]:
    name, without = row["model"], row["without"]
    shown: dict[str, Any] = {
        "model": f"{name} without {without}" if without else name,
        "kind": row["kind"],
        "winner": row["winner"],
    }
    for score, value, interval in (
        ("accuracy", row["test_accuracy"], row["accuracy_interval"]),
        ("macro_f1", row["test_f1"], row["f1_interval"]),
    ):
        ends = (interval["low"], interval["high"]) if interval else (None, None)
        shown |= {score: value, f"{score}_low": ends[0], f"{score}_high": ends[1]}
    return shown | {"cv_macro_f1": row["cv_f1_mean"], "fit_seconds": row["fit_seconds"]}


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


@contextmanager
def _as_path(data: Any) -> Iterator[tuple[str, str]]:
    """Yield the path and the name of the data; a table is written to a temporary file."""
    if isinstance(data, str | os.PathLike):
        yield os.fspath(data), os.fspath(data)
        return
    if is_spark_frame(data):
        yield SPARK_FRAME, SPARK_FRAME
        return
    with scratch() as folder:
        if _are_paths(data):
            yield str(folder), _link(data, folder)
            return
        table = read_table(data)
        try:
            write_parquet(table, folder / "table.parquet")
        except pl.exceptions.PolarsError as error:
            raise InputError(
                f"The table cannot be used: {error}.", "Each column needs text, numbers or dates."
            ) from error
        yield str(folder), frame_source(table.height)


def _are_paths(data: Any) -> TypeGuard[Sequence[PathLike]]:
    return (
        isinstance(data, list | tuple)
        and bool(data)
        and all(isinstance(item, str | os.PathLike) for item in data)
    )


def _link(paths: Sequence[PathLike], folder: Path) -> str:
    """Link the files into one folder, under their own names."""
    for item in paths:
        path = Path(item).expanduser().absolute()
        link = folder / path.name
        if link.is_symlink():
            raise InputError(f"Two files are called {path.name!r}.", "Rename one of them.")
        if not path.is_file():
            raise InputError(f"There is no file {os.fspath(item)!r}.", "Give files in the list.")
        link.symlink_to(path)
    return ", ".join(os.fspath(item) for item in paths)
