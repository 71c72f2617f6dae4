"""Silver and gold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from basketwise.errors import InputError
from basketwise.etl.metadata import Metadata, read_metadata
from basketwise.platforms.protocol import EtlJob
from basketwise.processes import at_work
from basketwise.progress import Tick, counted
from basketwise.run.cache import Cached, Outcome, Stale, look_up, settle
from basketwise.run.context import Context
from basketwise.run.record import Step, planned, require_step, seal, verified_step
from basketwise.run.workspace import GOLD, SILVER, Staging

READING = "reading"
"""What ETL calls its first part in its progress."""


@dataclass(frozen=True)
class Data:
    """The folders that contain the data of a run, in the workspace or still in staging."""

    source: str
    """Where the raw files were, as it was typed; empty where that is not known."""
    silver: Path
    gold: Path
    metadata: Metadata
    outcomes: tuple[Outcome, ...] = ()
    """Of silver and gold; empty if their validity was not checked."""


def etl(
    data: str, staging: Staging, context: Context, ahead: Callable[[], None] | None = None
) -> Data:
    """Make silver and gold in staging, or take those that are still valid.

    ``ahead`` is called once if they are made: what comes after ETL can be prepared then. That is as
    soon as raw files are read, since reading keeps both Python and cores busy, and finds most of
    what is wrong with them; where processes read them, Python is free once they do.
    """
    config, workspace, force = context.config, context.workspace, context.force
    with context.reporter.stage("ETL") as log:
        inputs, source = context.platform.inputs(data, config), context.source or data
        context.platform.start(inputs, config)
        silver_plan = planned("silver", inputs, config, source=source)
        interrupted = staging.left / SILVER
        silver_decision = look_up(silver_plan, [workspace.folder(SILVER), interrupted], force=force)
        silver = settle(silver_decision, interrupted, staging.silver)
        clean = isinstance(silver_decision, Stale)
        gold_plan, gold = None, staging.gold
        gold_decision: Cached | Stale = Stale(("silver was rebuilt",))
        if not clean:
            gold_plan = _gold_plan(silver, context)
            interrupted = staging.left / GOLD
            gold_decision = look_up(gold_plan, [workspace.folder(GOLD), interrupted], force=force)
            gold = settle(gold_decision, interrupted, staging.gold)
        if isinstance(gold_decision, Stale):
            job = EtlJob(data, silver, gold, staging.scratch, clean, inputs)
            context.platform.etl(job, config, _calling(ahead, log.tick) if ahead else log.tick)
            if clean:
                seal(silver_plan, silver)
            seal(gold_plan or _gold_plan(silver, context), gold)
        metadata = read_metadata(gold)
        outcomes = (Outcome("silver", silver_decision), Outcome("gold", gold_decision))
        lines = metadata.lines
        log.finish(
            f"{counted(lines.read, 'line')} read, {lines.rejected:,} rejected; "
            f"{metadata.train_samples:,} training and "
            f"{counted(metadata.test_samples, 'test basket')}, "
            f"{counted(metadata.products, 'product')}; {outcomes[0] if clean else outcomes[1]}"
        )
    return Data(source, silver, gold, metadata, outcomes)


def _calling(ahead: Callable[[], None], tick: Tick) -> Tick:
    """Return a tick that calls a function once, as soon as Python is not busy with reading."""
    waiting = [ahead]

    def calling(what: str, done: int, total: int) -> None:
        if waiting and (what != READING or at_work()):
            waiting.pop()()
        tick(what, done, total)

    return calling


def _gold_plan(silver: Path, context: Context) -> Step:
    return planned("gold", {"silver": require_step("silver", silver).digest}, context.config)


def present_data(context: Context) -> Data:
    """Return the data in the workspace, if silver and gold are of one run and unchanged since."""
    silver, gold = (context.workspace.folder(name) for name in (SILVER, GOLD))
    metadata = read_metadata(gold)
    made_from = verified_step("gold", gold).inputs["silver"]
    cleaned = verified_step("silver", silver)
    if made_from != cleaned.digest:
        raise InputError(
            "The silver and gold files in the workspace are not of one run.",
            "Run 'basketwise etl' again.",
        )
    return Data(cleaned.source, silver, gold, metadata)
