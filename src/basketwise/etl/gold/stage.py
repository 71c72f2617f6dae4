"""The gold stage: clean lines in; features, product index and test cohorts out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from basketwise.concurrency import abandoning_pool, cores
from basketwise.config import Config
from basketwise.disk import write_parquet
from basketwise.etl.gold import tables
from basketwise.etl.gold.cohorts import write_cohorts
from basketwise.etl.gold.hidden import hidden_features
from basketwise.etl.gold.history import learn_history, write_history
from basketwise.etl.gold.index import learned_of, stacked
from basketwise.etl.gold.metadata import (
    Encoders,
    Lines,
    Metadata,
    Outliers,
    Split,
    Trial,
)
from basketwise.etl.gold.selection import choose_groups
from basketwise.etl.gold.split import forward_weeks, not_drawn
from basketwise.etl.silver.stage import SURVEY, IntakeRecord, read_intake
from basketwise.etl.silver.survey import (
    CHEAPEST,
    STORE_COLUMNS,
    Survey,
    read_survey,
    spend_quantile,
)
from basketwise.features.groups import ALWAYS_WRITTEN, GROUPS, columns_of
from basketwise.features.product import SHARE_NEW
from basketwise.features.recipe import Recipe
from basketwise.pieces import Map, here
from basketwise.processes import in_processes, started_ahead
from basketwise.progress import Tick
from basketwise.provenance import timestamp
from basketwise.schema import (
    FOLD,
    KEY,
    LABEL,
    SHOP_WEEK,
    SPEND,
    TARGET,
    TEST,
    UNCLASSIFIED,
)

MANY_LINES = 50_000_000
"""Lines from which processes that make their rows are worth their start, a second for each core."""

WriteRest = Callable[[Path, Path, pl.DataFrame, tables.RowMaker], int]
"""Writes the rows of the baskets that were not drawn below a folder, and counts them."""

WriteRows = Callable[[Path, Path, Path, pl.DataFrame, tables.RowMaker, Tick], tables.Written]
"""Makes and writes the rows of all baskets, as :func:`basketwise.etl.gold.tables.write_gold`."""


def run_gold(
    silver: Path,
    gold: Path,
    scratch: Path,
    config: Config,
    tick: Tick,
    *,
    write_rows: WriteRows | None = None,
    write_rest: WriteRest | None = None,
    each: Map = here,
) -> Metadata:
    """Split the baskets, learn the product index and make the features.

    ``silver`` is what the silver stage left. ``write_rows`` makes the rows (None: this machine
    does, for many lines in processes); ``each`` does all else that reads lines, on this machine or
    elsewhere. ``gold`` (empty, as is ``scratch``) gets
    ``train_features.parquet``, ``test_features.parquet``, ``test_baskets.parquet``,
    ``metadata.json``, which is also returned, ``customer_history.parquet`` with the group
    ``customer``, and with a group that needs the product index ``product_index.parquet`` and
    ``hidden_features.parquet`` (see :func:`basketwise.etl.gold.hidden.hidden_features`). With
    ``write_rest``, the rows of training baskets that were not drawn are below ``rest``.

    Raises
    ------
    InputError, ConfigError
        If the data does not allow the settings.
    """
    intake = read_intake(silver)
    # A basket of outliers alone has no row in gold once they are dropped, so none to split either.
    dropping = config.etl.outliers == "drop"
    survey = read_survey(silver / SURVEY, [CHEAPEST] if dropping else [])
    products, totals = survey.products, _totals(survey)
    limit = spend_quantile(totals.spends, config.etl.outlier_quantile)
    kept = survey.baskets
    if dropping:
        kept = kept.filter(pl.col(CHEAPEST) <= limit).drop(CHEAPEST)
    # Of a chain's baskets many are neither drawn for the training nor tested.
    del survey
    outlier = limit if dropping else None
    learned = learned_of(silver, kept, products, outlier, config, tick, each)
    baskets, index = learned.baskets, None
    rest = baskets.clear() if write_rest is None else not_drawn(kept, baskets)
    del kept
    if learned.index is not None:
        index = stacked(learned.index, products)
        write_parquet(learned.index.whole, gold / tables.INDEX_FILE)
    recipe = Recipe(config.features.groups, _encoders(baskets), config.etl.outliers, limit)
    wanted = config.features.groups
    history = learn_history(silver, baskets, wanted, config.features.tried, each)
    tried = [name for name in config.features.tried if history or not GROUPS[name].needs_history]
    apart = write_rows is None and totals.lines >= MANY_LINES and cores() > 1
    write = write_rows or partial(tables.write_gold, each=in_processes if apart else here)
    seed, hidden = config.split.random_state, None
    # The choice leaves half a core idle, on which rows with hidden products are made, and the
    # processes start that will make all others.
    with abandoning_pool(1) as aside, started_ahead(tables.__name__) if apart else nullcontext():
        if learned.index is not None and SHARE_NEW in columns_of([*recipe.groups, *tried]):
            every = replace(recipe, groups=[*ALWAYS_WRITTEN, *recipe.groups, *tried])
            by_fold = learned.index.by_fold
            hidden = aside.submit(
                hidden_features, silver, baskets, every, by_fold, seed, history, each
            )
        trials = choose_groups(
            silver,
            baskets,
            recipe,
            index,
            tried,
            seed=seed,
            history=history,
            hidden=hidden.result if hidden else None,
            alone=learned.curve.points[-1].accuracy if learned.curve.points else None,
            each=each,
        )
        chosen = [*recipe.groups, *(trial.group for trial in trials if trial.chosen)]
        recipe = replace(recipe, groups=list(dict.fromkeys([*ALWAYS_WRITTEN, *chosen])))
        maker = tables.RowMaker(recipe, index, history)
        rows = write(silver, gold, scratch / "gold", baskets, maker, tick)
    if write_rest is not None:
        rows = replace(rows, rest=write_rest(silver, gold / tables.REST_FOLDER, rest, maker))
    if hidden is not None:
        columns = [KEY, *columns_of(recipe.groups), FOLD, TARGET]
        write_parquet(hidden.result().select(columns), gold / tables.HIDDEN_FILE)
    write_cohorts(baskets, gold)
    metadata = _metadata(
        intake, totals, baskets, recipe, config, rows, groups=chosen, tried=trials
    ).model_copy(
        update={
            "weighting": learned.index.weighting if learned.index else None,
            "learning_curve": learned.curve,
            "history": write_history(history, chosen, gold),
        }
    )
    text = metadata.model_dump_json(indent=2)
    (gold / tables.METADATA_FILE).write_text(text, encoding="utf-8")
    return metadata


class _Totals(NamedTuple):
    """What is told of all lines: their number, their baskets by label, products and ``spends``."""

    lines: int
    baskets: dict[str, int]
    products: int
    spends: pl.DataFrame


def _totals(survey: Survey) -> _Totals:
    baskets = dict(sorted(survey.baskets[LABEL].value_counts().iter_rows()))
    return _Totals(survey.lines, baskets, survey.products.height, survey.spends)


def _encoders(baskets: pl.DataFrame) -> dict[str, list[str]]:
    training = baskets.lazy().filter((pl.col(FOLD) != TEST) & (pl.col(LABEL) != UNCLASSIFIED))
    # Text of every basket would take more memory than the baskets.
    names = {
        column: training.select(pl.col(column).unique().cast(pl.String)).collect().to_series()
        for column in STORE_COLUMNS
    }
    return {column.lower(): sorted(own.drop_nulls()) for column, own in names.items()}


def _limited(baskets: pl.DataFrame, most: int, rest: int) -> list[str]:
    """Say that training baskets were drawn, if they were, and what becomes of the others."""
    if int((baskets[FOLD] != TEST).sum()) < most:
        return []
    drawn = f"{most:,} training baskets were drawn of all that there are (training.max_baskets)"
    if not rest:
        return [drawn]
    return [f"{drawn}; XGBoost, if it wins, learns from {rest:,} others too"]


def _metadata(
    intake: IntakeRecord,
    totals: _Totals,
    baskets: pl.DataFrame,
    recipe: Recipe,
    config: Config,
    rows: tables.Written,
    *,
    groups: list[str],
    tried: list[Trial],
) -> Metadata:
    classified = baskets.filter(pl.col(LABEL) != UNCLASSIFIED)
    in_test = pl.col(FOLD) == TEST
    above = totals.spends.filter(pl.col(SPEND) > recipe.limit)["count"].sum()
    files = [*intake.files, *filter(None, [intake.product_file])]
    names = [f"{file.name}:{file.sha256}" for file in files]
    return Metadata(
        feature_columns=columns_of(groups),
        encoders=Encoders.model_validate(recipe.encoders),
        train_samples=rows.train,
        test_samples=rows.test,
        rest_samples=rows.rest,
        uncertain=rows.uncertain,
        new_products=[count / max(rows.test, 1) for count in rows.new_products],
        etl_timestamp=timestamp(),
        groups=groups,
        tried=tried,
        outliers=Outliers(
            treatment=config.etl.outliers,
            quantile=config.etl.outlier_quantile,
            threshold=recipe.limit,
            lines=int(above),
        ),
        split=Split(
            strategy=config.split.strategy,
            test_size=config.split.test_size,
            random_state=config.split.random_state,
            folds=config.training.folds,
            train_weeks=sorted(classified.filter(~in_test)[SHOP_WEEK].unique()),
            forward_weeks=forward_weeks(baskets, config.split, config.training.folds),
            test_weeks=sorted(classified.filter(in_test)[SHOP_WEEK].unique()),
        ),
        lines=Lines(
            read=intake.lines,
            accepted=totals.lines,
            rejected=sum(intake.rejected.values()),
            rejected_by_reason=intake.rejected,
        ),
        baskets=totals.baskets,
        products=totals.products,
        files=intake.files,
        skipped=intake.skipped,
        product_file=intake.product_file,
        data_hash=hashlib.sha256("\n".join(names).encode()).hexdigest(),
        rules=intake.rules,
        warnings=[*intake.warnings, *_limited(baskets, config.training.max_baskets, rows.rest)],
    )
