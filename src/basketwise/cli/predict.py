"""``basketwise predict``."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from basketwise.cli.options import Common, common, context
from basketwise.cli.output import print_json, shown

if TYPE_CHECKING:
    from basketwise.pipeline import Context
    from basketwise.serving.scorer import Scorer


@click.command()
@click.option("--data", required=True, metavar="PATH", help="A file, a folder or a quoted glob.")
@click.option("--out", required=True, metavar="FILE", help="A .csv or .parquet file.")
@click.option(
    "--model",
    default="champion",
    show_default=True,
    metavar="VERSION|champion|PATH",
    help="A version of the registry, or a model.tar.gz.",
)
@common
def predict(data: str, out: str, model: str, common: Common) -> None:
    """Score the baskets of raw files; no label column is needed."""
    from basketwise.serving.batch import predict as predict_batch

    config = common.config()
    ctx = context(common, config)
    scorer = _scorer(model, ctx)
    with ctx.reporter.stage("predict") as log:
        result = predict_batch(data, Path(out), scorer, config, log.tick)
        counts = ", ".join(f"{label} {n:,}" for label, n in result.predicted.items())
        log.finish(f"{result.baskets:,} baskets: {counts}")
    if common.as_json:
        print_json(
            {
                "out": str(result.out),
                "baskets": result.baskets,
                "predicted": result.predicted,
                "lines": result.lines,
                "rejected": result.rejected,
            }
        )
        return
    for reason, number in result.rejected.items():
        click.echo(f"rejected  {number:,} lines: {reason}", err=True)
    click.echo(shown(result.out))


def _scorer(model: str, ctx: Context) -> Scorer:
    from basketwise.errors import InputError
    from basketwise.pipeline import has_registry, registry_of
    from basketwise.serving.scorer import load_scorer

    named_version = model == "champion" or model.isdigit()
    if not named_version:
        return load_scorer(Path(model).expanduser())
    if not has_registry(ctx):
        raise InputError(
            f"The workspace {str(ctx.workspace.storage.root)!r} has no registry to take "
            f"{model!r} from.",
            "Run 'basketwise run --data PATH' first, or give --model PATH/model.tar.gz.",
        )
    registry = registry_of(ctx)
    version = registry.champion() if model == "champion" else registry.get(model)
    if version is None:
        raise InputError(
            "There is no champion: no version is approved.",
            "Approve one with 'basketwise models approve VERSION', or give --model VERSION.",
        )
    with TemporaryDirectory(prefix="basketwise-") as scratch:
        return load_scorer(registry.fetch(version.version, Path(scratch)))
