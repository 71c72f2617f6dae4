"""Silver and gold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from basketwise.errors import InputError
from basketwise.etl.metadata import Metadata, read_metadata
from basketwise.platforms.protocol import EtlJob
from basketwise.run.context import Context
from basketwise.run.outcome import Outcome, place, tell
from basketwise.run.record import Step, intact, planned, recorded, seal
from basketwise.run.workspace import GOLD, SILVER, Staging


@dataclass(frozen=True)
class Data:
    """The folders that hold the data of a run, in the workspace or still in staging."""

    silver: Path
    gold: Path
    metadata: Metadata
    outcomes: tuple[Outcome, ...]


def etl(data: str, staging: Staging, context: Context) -> Data:
    """Make silver and gold, or take those that still hold."""
    config, workspace = context.config, context.workspace
    with context.reporter.stage("ETL") as log:
        silver_plan = planned("silver", context.platform.inputs(data, config), config, source=data)
        silver, why = place(
            silver_plan,
            workspace.folder(SILVER),
            staging.left / SILVER,
            staging.silver,
            force=context.force,
        )
        gold_plan, gold, gold_why = None, staging.gold, "silver was made anew"
        if not why:
            gold_plan = _gold_plan(silver, context)
            gold, gold_why = place(
                gold_plan,
                workspace.folder(GOLD),
                staging.left / GOLD,
                staging.gold,
                force=context.force,
            )
        if gold_why:
            job = EtlJob(data, silver, gold, staging.scratch, clean=bool(why))
            context.platform.etl(job, config, log.tick)
            if why:
                seal(silver_plan, silver)
            seal(gold_plan or _gold_plan(silver, context), gold)
        metadata = read_metadata(gold)
        outcomes = (Outcome("silver", why), Outcome("gold", gold_why))
        lines = metadata.lines
        tell(
            log,
            outcomes[0] if why else outcomes[1],
            f"{lines.read:,} lines read, {lines.rejected:,} rejected; "
            f"{metadata.train_samples:,} training and {metadata.test_samples:,} test baskets, "
            f"{metadata.products:,} products",
        )
    return Data(silver, gold, metadata, outcomes)


def _gold_plan(silver: Path, context: Context) -> Step:
    return planned("gold", {"silver": recorded("silver", silver).digest}, context.config)


def present_data(context: Context) -> Data:
    """Take the data that lie in the workspace, whatever they were made from.

    Raises
    ------
    InputError
        If there are none, if they were touched since, or if silver and gold are not of one run.
    """
    silver, gold = (context.workspace.folder(name) for name in (SILVER, GOLD))
    metadata = read_metadata(gold)
    made_from = intact("gold", gold).inputs["silver"]
    if made_from != intact("silver", silver).digest:
        raise InputError(
            "The silver and gold files in the workspace are not of one run.",
            "Run 'basketwise etl' again.",
        )
    return Data(silver, gold, metadata, ())


def source_of(data: Data) -> str:
    """Return where the raw files lay, as it was typed; empty where that is not known."""
    return recorded("silver", data.silver).source
