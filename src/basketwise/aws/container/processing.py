"""The ETL stage as a SageMaker Processing job."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from basketwise.aws.container import layout
from basketwise.config import Config
from basketwise.progress import Tick
from basketwise.run.workspace import GOLD, SILVER
from basketwise.settings import load_config

if TYPE_CHECKING:
    from basketwise.etl.gold.metadata import Metadata
    from basketwise.etl.raw.sources import Delivery


def main(arguments: Sequence[str]) -> None:
    """Clean the raw files of one folder, and make features in another.

    ``--input-path`` contains the raw files; ``silver`` and ``gold`` are written below
    ``--output-path``; ``--bucket-name`` is where SageMaker uploads them. ``--silver-path`` contains
    lines that are clean already: then only ``gold`` is made. ``--source`` is where the raw files
    were, for the record. ``--spark-workspace`` is the address of the workspace where this process
    is the driver of a Spark session. Settings come from the environment.
    """
    options = _parser().parse_args(arguments)
    from basketwise.aws.skipped import read_skipped, with_skipped
    from basketwise.etl.preview import check_split
    from basketwise.etl.raw.discovery import list_files
    from basketwise.etl.raw.sources import Delivery, digests
    from basketwise.etl.stage import run_etl
    from basketwise.run.record import planned, read_step, seal, verified_step

    config = load_config(None, os.environ)
    clean = options.silver_path is None
    gold = options.output_path / GOLD
    silver = options.output_path / SILVER if clean else options.silver_path
    for folder in (silver, gold):
        folder.mkdir(parents=True, exist_ok=True)
    delivery = Delivery()
    if not clean and read_step("silver", silver) is not None:
        # Whoever started this job has seen the record, not the lines.
        verified_step("silver", silver)
    if clean:
        # Files that could not be read were not uploaded, but are named in the records.
        skipped = read_skipped(options.input_path)
        delivery = with_skipped(list_files(str(options.input_path)), skipped)
        check_split(delivery.sources, config)
        plan = planned("silver", digests(delivery), config, source=options.source)
    # Within an output: the root disk of a job is small, and each output may be a mount of its own.
    with TemporaryDirectory(prefix=".scratch-", dir=silver if clean else gold) as folder:
        scratch, tick = Path(folder), layout.ticker()
        if options.spark_workspace:
            metadata = _etl_on_spark(
                options.spark_workspace, delivery, silver, gold, scratch, config, tick, clean=clean
            )
        else:
            metadata = run_etl(delivery, silver, gold, scratch, config, tick, clean=clean)
    # The records distinguish this job's outputs from older files.
    if clean:
        seal(plan, silver)
    silver_step = read_step("silver", silver)
    seal(planned("gold", {"silver": silver_step.digest if silver_step else ""}, config), gold)
    lines = metadata.lines
    click.echo(
        f"{lines.read:,} lines read, {lines.rejected:,} rejected; {metadata.train_samples:,} "
        f"training and {metadata.test_samples:,} test baskets"
        + (f", for s3://{options.bucket_name}" if options.bucket_name else "")
    )


def _etl_on_spark(
    workspace: str,
    delivery: Delivery,
    silver: Path,
    gold: Path,
    scratch: Path,
    config: Config,
    tick: Tick,
    *,
    clean: bool,
) -> Metadata:
    """Run ETL on the session that the environment describes."""
    from basketwise.etl.gold.metadata import read_metadata
    from basketwise.platforms.protocol import EtlJob
    from basketwise.plugins import PLATFORMS, load

    # SageMaker says it in a variable that boto3 does not read.
    region = config.aws.region or os.environ.get("AWS_REGION", "")
    aws = config.aws.model_copy(update={"region": region})
    config = config.model_copy(update={"aws": aws})
    # Where this process imports from, its executors do.
    settings = {"spark.executorEnv.PYTHONPATH": os.environ.get("PIP_TARGET", "")}
    with load(PLATFORMS["spark"])("", workspace, settings) as platform:
        if clean:
            platform.use(workspace, delivery, config)
        platform.etl(EtlJob(workspace, silver, gold, scratch, clean), config, tick)
    return read_metadata(gold)


def _parser() -> layout.Parser:
    mount = layout.base() / "processing"
    parser = layout.Parser("processing", description=__doc__, allow_abbrev=False)
    parser.add_argument("--input-path", type=Path, default=mount / "input")
    parser.add_argument("--output-path", type=Path, default=mount / "output")
    parser.add_argument("--silver-path", type=Path)
    parser.add_argument("--bucket-name", default="")
    parser.add_argument("--source", default="")
    parser.add_argument("--spark-workspace", default="")
    return parser
