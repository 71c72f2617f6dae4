"""``basketwise predict``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from basketwise.cli.engines import check_engine, engine_options
from basketwise.cli.options import (
    HISTORY_OPTION,
    MODEL_OPTION,
    PRODUCTS_OPTION,
    Common,
    common,
    context,
    data_of,
    products_flag,
)
from basketwise.cli.output import filled, print_json, shown
from basketwise.progress import counted
from basketwise.scratch import scratch
from basketwise.terminal import printable

if TYPE_CHECKING:
    from basketwise.model.scoring import Model
    from basketwise.serving.batch import BatchResult


STDOUT = "-"
"""The ``--out`` that means stdout."""


@click.command()
@data_of(required=True)
@PRODUCTS_OPTION
@click.option(
    "--out",
    metavar="FILE",
    help="A .csv or .parquet file, or - for CSV on stdout; required unless --basket is given. On "
    "Spark: a new folder or table.",
)
@MODEL_OPTION
@click.option("--explain", is_flag=True, help="Add a column that explains each prediction.")
@click.option(
    "--basket",
    "baskets",
    multiple=True,
    metavar="ID",
    help="Score and explain only this basket; repeatable.",
)
@HISTORY_OPTION
@click.option(
    "--allow-unknown", is_flag=True, help="Score data even if the model knows none of its products."
)
@engine_options(
    "Where baskets are scored; spark reads files or a table, writes a folder or a table."
)
@common
def predict(
    data: str,
    products: str | None,
    out: str | None,
    model: str,
    explain: bool,
    baskets: tuple[str, ...],
    history: str | None,
    allow_unknown: bool,
    engine: str,
    url: str,
    common: Common,
) -> None:
    """Score the baskets of raw files; no label column is needed."""
    from basketwise.explain.sentences import EXPLANATION
    from basketwise.plugins import ENGINES, load
    from basketwise.schema import KEY
    from basketwise.serving.batch import predict as predict_batch
    from basketwise.serving.versions import open_model
    from basketwise.storage.opening import local_copy, with_local_products

    if out is None and not baskets:
        raise click.UsageError("Give --out FILE for all baskets, or --basket ID for one.")
    if out == STDOUT and (common.as_json or baskets):
        raise click.UsageError("--out - writes CSV to stdout: give no --json or --basket with it.")
    check_engine(engine, url)
    if engine != "local" and (out in (None, STDOUT) or explain or baskets):
        raise click.UsageError(
            f"--engine {engine} needs --out with a folder or a table, and has no --explain or "
            "--basket."
        )
    config = common.config(*products_flag(products))
    ctx = context(common, config)
    known = Path(local_copy(history, config.aws)).expanduser() if history else None
    scorer = open_model(config, ctx.workspace.storage, model, known)
    with ctx.reporter.stage("predict") as log, _file(out) as file:
        if engine == "local":
            result = predict_batch(
                local_copy(data, config.aws),
                file,
                scorer,
                with_local_products(config),
                log.tick,
                explained=explain,
                baskets=baskets,
                allow_unknown=allow_unknown,
            )
        else:
            scored = load(ENGINES[engine])
            result = scored(
                data, out, scorer, config, log.tick, url=url, allow_unknown=allow_unknown
            )
        counts = ", ".join(f"{label} {n:,}" for label, n in result.predicted.items())
        uncertain = f"; certainty Unclassified {result.uncertain:,}" if result.uncertain else ""
        log.finish(f"{counted(result.baskets, 'basket')}: {counts}{uncertain}")
        if out == STDOUT and file:
            _print_file(file)
    if common.as_json:
        print_json(_document(result, scorer))
        return
    from basketwise.etl.raw.sources import skipped_texts

    if result.snapshot is not None:
        name, _, _ = data.partition("@")
        click.echo(f"table     {name}, snapshot {result.snapshot}", err=True)
    for text in skipped_texts(result.skipped, documents=False):
        click.echo(f"warning   {printable(text)}", err=True)
    for reason, number in result.rejected.items():
        click.echo(f"rejected  {counted(number, 'line')}: {reason}", err=True)
    for text in _warnings(result, scorer):
        click.echo(f"warning   {printable(text)}", err=True)
    if result.requested is not None:
        for basket, text in result.requested.select(KEY, EXPLANATION).iter_rows():
            click.secho(printable(str(basket)), bold=True)
            click.echo(filled(text))
    if result.out is not None and out != STDOUT:
        click.echo(shown(result.out))


@contextmanager
def _file(out: str | None) -> Iterator[Path | None]:
    """Give the file to write: a temporary one for what goes to stdout."""
    if out != STDOUT:
        yield None if out is None else Path(out)
        return
    with scratch() as folder:
        yield folder / "scores.csv"


def _print_file(file: Path) -> None:
    with file.open("rb") as stream:
        sys.stdout.flush()
        shutil.copyfileobj(stream, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _warnings(result: BatchResult, scorer: Model) -> list[str]:
    """Say what makes scores less reliable than in the report."""
    from basketwise.model.scoring import NO_HISTORY

    texts = [result.unseen.products, result.unseen.kinds_of_stores]
    if scorer.lacks_history:
        texts.append(f"{NO_HISTORY}; --history names one")
    if result.incomplete:
        baskets = counted(result.incomplete, "basket")
        texts.append(f"{baskets} scored without the lines that were rejected")
    if result.listed:
        texts += [*result.warnings, result.listed.text]
    return [text for text in texts if text]


def _document(result: BatchResult, scorer: Model) -> dict[str, Any]:
    document: dict[str, Any] = {
        "out": None if result.out is None else str(result.out),
        "baskets": result.baskets,
        "predicted": result.predicted,
        "unclassified": result.uncertain,
        "lines": result.lines,
        "snapshot": result.snapshot,
        "rejected": result.rejected,
        "incomplete_baskets": result.incomplete,
        "unseen": result.unseen.document(),
        "history": {"given": not scorer.lacks_history, "baskets": result.unseen.remembered}
        if scorer.needs_history
        else None,
        "product_file": result.listed.document() if result.listed else None,
        "skipped": [file.model_dump() for file in result.skipped],
    }
    if result.requested is not None:
        document["requested"] = result.requested.to_dicts()
    return document
