"""Batch scoring: raw files in, one row per basket out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from uuid import uuid4

import polars as pl

from basketwise.config import Config, DataConfig
from basketwise.disk import write_parquet
from basketwise.errors import ConfigError, InputError, writing
from basketwise.etl.lines.layout import settle_sources
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.sources import Skipped, Source
from basketwise.etl.silver.chunks import read_chunks, weeks
from basketwise.etl.silver.intake import Intake, build_silver
from basketwise.etl.silver.partitions import REJECTED
from basketwise.etl.silver.product_coverage import Coverage, coverage
from basketwise.etl.silver.product_file import ProductFile, completed, line_files, read_products
from basketwise.etl.silver.survey import Survey
from basketwise.explain.contributions import with_products
from basketwise.features.code_formats import describe_codes
from basketwise.features.unseen import Unseen
from basketwise.files import move
from basketwise.model.scoring import Model
from basketwise.progress import Tick, counted
from basketwise.schema import (
    BASKET_ID,
    CERTAINTY,
    CLASSES,
    INDEX_LABELS,
    KEY,
    PREDICTED,
    PROD_CODE,
    PROD_NAME,
    UNCLASSIFIED,
)
from basketwise.scratch import scratch

FORMATS = (".csv", ".parquet")
SILVER, SCRATCH, SCORED = "silver", "scratch", "scored"


@dataclass(frozen=True)
class BatchResult:
    """What was scored: the output file, if requested, and its rows by predicted class.

    Of ``uncertain`` baskets no product says anything. ``lines`` were read, ``rejected`` of them
    refused, by reason; a basket of refused lines alone has no row, and ``incomplete`` are those
    with a row that lost lines. ``unseen`` counts what the model does not know. ``listed`` says
    which products are in the product file, if there is one, and ``warnings`` what is odd about that
    file. ``skipped`` are unsupported files. ``requested`` are the baskets requested by id, in that
    order (None where no id was given): the columns of the file and ``products``, a list of structs
    with the columns of :func:`basketwise.explain.contributions.contributions`; empty for a model
    without a product index. ``snapshot`` is the one of a catalogue's table that was read.
    """

    out: Path | str | None
    baskets: int
    predicted: dict[str, int]
    uncertain: int
    lines: int
    rejected: dict[str, int]
    incomplete: int
    unseen: Unseen
    listed: Coverage | None = None
    warnings: list[str] = field(default_factory=list)
    requested: pl.DataFrame | None = None
    skipped: list[Skipped] = field(default_factory=list)
    snapshot: str | None = None


def predict(
    data: str,
    out: Path | None,
    scorer: Model,
    config: Config,
    tick: Tick,
    *,
    explained: bool = False,
    baskets: Sequence[str] = (),
    allow_unknown: bool = False,
) -> BatchResult:
    """Score raw files.

    Parameters
    ----------
    data : str
        A file, folder or glob; the label column is not needed, and not looked at.
    out : Path or None
        ``.csv`` or ``.parquet``; written whole or not at all. One row per basket: ``basket_id``
        exactly as in the input, then the columns of :meth:`basketwise.model.scoring.Model.predict`.
    scorer : Model
        The model.
    config : Config
        How files are read; without ``data.columns``, column names are those of the training data.
        ``data.products`` gives names and hierarchy of products that lines lack.
    tick : callable
        Called with the progress.
    explained : bool
        Add the column ``explanation``, see :func:`basketwise.explain.sentences.explain`.
    baskets : sequence of str
        Score and explain only these baskets, with ids as in the input; their rows do not change.
        Empty: all.
    allow_unknown : bool
        Score the data even if the model knows none of its products. Requested baskets are always
        scored.

    Raises
    ------
    InputError
        If the data cannot be used, lacks a requested basket, or has no product that the model
        knows.
    ConfigError
        If ``out`` is of another format.
    WorkspaceError
        If it cannot be written.
    """
    if out is not None and out.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"--out {str(out)!r} has the extension {out.suffix!r}.",
            f"Choose a file name that ends in {' or '.join(FORMATS)}.",
        )
    delivery = line_files(data, config.data.products)
    # A temporary folder next to the output allows an atomic rename.
    parent = None if out is None else out.parent
    with writing(
        f"{str(out or gettempdir())!r} cannot be written",
        "Free some space, fix the permissions, or choose another --out.",
    ):
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        with scratch(parent) as folder:
            settings, rules = scoring_settings(scorer, config)
            file = None
            if settings.products:
                file = read_products(settings.products, settings, rules.missing)
            intake, survey = _read_raw(delivery.sources, folder, rules, settings, tick)
            unseen = Unseen()
            counts, requested = _score(
                scorer,
                folder,
                intake.names,
                file,
                tick,
                unseen,
                explained=explained,
                baskets=baskets,
            )
            if unseen.is_everything and not allow_unknown and not baskets:
                raise nothing_known(unseen, _code_differences(scorer, folder / SILVER))
            incomplete = _incomplete(folder)
            listed = coverage(survey.products, file) if file else None
            if out is not None:
                finished = folder / f"{uuid4().hex}{out.suffix}"
                rows = pl.scan_parquet(sorted((folder / SCORED).glob("*.parquet")), glob=False)
                if out.suffix.lower() == ".csv":
                    rows.sink_csv(finished)
                else:
                    write_parquet(rows, finished)
                # Not beside it where that folder cannot be written to.
                move(finished, out)
    predicted = {label: counts[label] for label in CLASSES}
    return BatchResult(
        out,
        sum(predicted.values()),
        predicted,
        counts[UNCLASSIFIED],
        intake.lines,
        dict(sorted(intake.rejected.items())),
        incomplete,
        unseen,
        listed,
        file.warnings if file else [],
        requested,
        delivery.skipped,
    )


def scoring_settings(scorer: Model, config: Config) -> tuple[DataConfig, Rules]:
    """Return how files are read and lines judged: as in the training, where nothing else is set."""
    given = config.data
    changes: dict[str, object] = {"columns": scorer.rules.columns | given.own_columns}
    if given.date_format:
        changes["date_format"] = given.date_format
    if given.decimal != "auto":
        changes["decimal"] = given.decimal
    rules = scorer.rules.model_copy(update=changes)
    return given.model_copy(update={"columns": rules.columns}), rules


def _read_raw(
    sources: list[Source], folder: Path, rules: Rules, data: DataConfig, tick: Tick
) -> tuple[Intake, Survey]:
    rules = settle_sources(sources, rules, data)
    for name in (SILVER, SCRATCH, SCORED):
        (folder / name).mkdir()
    return build_silver(sources, folder / SILVER, folder / SCRATCH, rules, tick, data=data)


def _score(
    scorer: Model,
    folder: Path,
    names: pl.DataFrame,
    file: ProductFile | None,
    tick: Tick,
    unseen: Unseen,
    *,
    explained: bool,
    baskets: Sequence[str],
) -> tuple[dict[str, int], pl.DataFrame | None]:
    """Write the rows chunk by chunk; give those of ``baskets`` with products.

    Rows are counted by class, and, as Unclassified, those whose certainty is that.
    """
    counts = dict.fromkeys(INDEX_LABELS, 0)
    requested: list[pl.DataFrame] = []
    total, done = len(weeks(folder / SILVER)), 0
    names = names.select(PROD_CODE, PROD_NAME)
    if file is not None:
        listed = file.products.select(PROD_CODE, PROD_NAME).drop_nulls()
        names = pl.concat([names, listed]).unique(PROD_CODE, keep="first")
    for chunk in read_chunks(folder / SILVER):
        lines = chunk.lines if file is None else completed(chunk.lines, file.products)
        if baskets:
            table, products = scorer.score_and_explain(lines, baskets, names, unseen)
            requested.append(with_products(table, products))
        elif explained:
            table, _ = scorer.score_and_explain(lines, (), names, unseen)
        else:
            table = scorer.score(lines, unseen)
        write_parquet(table, folder / SCORED / f"{chunk.weeks[0]:06d}.parquet")
        for label, number in table[PREDICTED].value_counts().iter_rows():
            counts[label] += number
        counts[UNCLASSIFIED] += int((table[CERTAINTY] == UNCLASSIFIED).sum())
        done += len(chunk.weeks)
        tick("scoring", done, total)
    return counts, _in_order(pl.concat(requested), baskets) if requested else None


def nothing_known(unseen: Unseen, differences: str = "") -> InputError:
    """Return the error for data without a known product; ``differences`` begin its hint."""
    return InputError(
        f"The model knows no product of the data ({counted(unseen.lines, 'line')}).",
        f"{differences}Write the codes as in the training data, or choose another model. "
        "--allow-unknown scores them all the same.",
    )


def _code_differences(scorer: Model, silver: Path) -> str:
    """Return example codes, and how they differ from the model's, as a line."""
    lines = next(read_chunks(silver)).lines
    codes = lines[PROD_CODE].unique(maintain_order=True).to_list()
    return f"{describe_codes(codes, scorer.products)}\n"


def _incomplete(folder: Path) -> int:
    """Count the scored baskets of which a line was rejected."""
    scored, rejected = (
        sorted(part.glob("*.parquet")) for part in (folder / SCORED, folder / SILVER / REJECTED)
    )
    if not rejected:
        return 0
    ids = pl.scan_parquet(scored, glob=False).select(pl.col(KEY).cast(pl.String).alias(BASKET_ID))
    damaged = pl.scan_parquet(rejected, glob=False).select(BASKET_ID)
    return ids.join(damaged, on=BASKET_ID, how="semi").collect().height


def _in_order(scored: pl.DataFrame, baskets: Sequence[str]) -> pl.DataFrame:
    """Sort rows by the order of the requested baskets; an InputError if one is missing."""
    ids = scored[KEY].cast(pl.String)
    absent = [basket for basket in baskets if basket not in set(ids)]
    if absent:
        raise InputError(
            f"The data contains no basket {absent[0]!r} that can be scored.",
            "Give ids exactly as in the data. A basket whose lines were all rejected or dropped as "
            "outliers is not scored.",
        )
    rows = {basket: row for row, basket in enumerate(ids)}
    return scored[[rows[basket] for basket in dict.fromkeys(baskets)]]
