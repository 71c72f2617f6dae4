"""``basketwise sample``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from basketwise.cli.options import Common, common, reporter
from basketwise.cli.output import emit, shown
from basketwise.progress import counted


@click.command()
@click.option("--out", required=True, metavar="DIR", help="Folder for the weekly files.")
@click.option("--baskets", default=20_000, show_default=True, help="Number of baskets.")
@click.option("--weeks", default=26, show_default=True, help="Number of weekly files.")
@click.option("--seed", default=42, show_default=True, help="The same seed gives the same bytes.")
@click.option("--compress/--no-compress", default=True, show_default=True, help="Write .csv.gz.")
@click.option("--overwrite", is_flag=True, help="Replace the files of the same sample.")
@common
def sample(
    out: str, baskets: int, weeks: int, seed: int, compress: bool, overwrite: bool, common: Common
) -> None:
    """Write synthetic till lines in dunnhumby's format.

    Labels depend on a hidden class of each product, with some noise; see the documentation.
    """
    from basketwise.sampling import generate

    with reporter().stage("sample") as log:
        summary = generate(
            Path(out),
            baskets=baskets,
            seed=seed,
            weeks=weeks,
            compress=compress,
            overwrite=overwrite,
            progress=lambda done, total: log.tick("weeks", done, total),
        )
        log.finish(
            f"{counted(summary.lines, 'line')} of {counted(summary.baskets, 'basket')} in "
            f"{counted(len(summary.files), 'file')}"
        )
    emit(common, asdict(summary), shown(Path(out)))
