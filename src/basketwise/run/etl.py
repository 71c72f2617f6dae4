"""Silver and gold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from basketwise.errors import InputError
from basketwise.etl.gold.metadata import Metadata, read_metadata
from basketwise.etl.gold.tables import METADATA_FILE
from basketwise.platforms.protocol import EtlJob
from basketwise.processes import at_work
from basketwise.progress import Tick, counted
from basketwise.run.cache import Cached, Outcome, Recorded, Stale, look_up, settle
from basketwise.run.context import Context
from basketwise.run.record import (
    Step,
    file_name,
    planned,
    require_step,
    reseal,
    seal,
    verified_step,
)
from basketwise.run.workspace import GOLD, SILVER, Staging, Workspace

READING = "reading"
"""What ETL calls its first part in its progress."""


@dataclass(frozen=True)
class Data:
    """The folders that contain the data of a run, in the workspace or still in staging."""

    source: str
    """Where the raw files were, as it was typed; empty where that is not known."""
    silver: Path
    """Of a platform that works in the workspace, as ``gold``, with the record alone."""
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
    config, force = context.config, context.force
    with context.reporter.stage("ETL") as log:
        inputs, source = context.platform.inputs(data, config), context.source or data
        context.platform.start(inputs, config)
        silver_plan = planned("silver", inputs, config, source=source)
        interrupted = staging.left / SILVER
        kept = _kept(SILVER, staging, context)
        silver_decision = look_up(silver_plan, [kept, interrupted], force=force)
        silver = settle(silver_decision, interrupted, staging.silver)
        clean = isinstance(silver_decision, Stale)
        gold_plan, gold = None, staging.gold
        gold_decision: Cached | Stale = Stale(("silver was rebuilt",))
        if not clean:
            gold_plan = _gold_plan(silver, context)
            interrupted = staging.left / GOLD
            gold_decision = look_up(
                gold_plan, [_kept(GOLD, staging, context), interrupted], force=force
            )
            gold = settle(gold_decision, interrupted, staging.gold)
        if isinstance(gold_decision, Stale):
            job = EtlJob(data, silver, gold, staging.scratch, clean, inputs)
            context.platform.etl(job, config, _calling(ahead, log.tick) if ahead else log.tick)
            sealed = reseal if context.platform.in_place else seal
            if clean:
                sealed(silver_plan, silver)
            sealed(gold_plan or _gold_plan(silver, context), gold)
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


def _kept(name: str, staging: Staging, context: Context) -> Path | Recorded:
    """Return the files of a stage in the workspace; only their record, if jobs read them there."""
    workspace = context.workspace
    if not context.platform.in_place:
        return workspace.folder(name)
    folder = _records(name, staging, workspace)
    return Recorded(folder, lambda: workspace.storage.digests(name))


def _records(name: str, staging: Staging, workspace: Workspace) -> Path:
    """Return a folder with the record of silver or gold, and what gold says of itself.

    No other file is in it, which might be one of an earlier run.
    """
    files = [file_name("gold"), METADATA_FILE] if name == GOLD else [file_name("silver")]
    return workspace.copied(name, files, staging.scratch / "records" / name)


def publish_records(folder: Path, name: str, staging: Staging, workspace: Workspace) -> Path:
    """Publish the record of silver or gold whose files are in the workspace already."""
    outputs = require_step("gold" if name == GOLD else "silver", folder).outputs
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    workspace.storage.replace(folder, name, outputs.keys() - here)
    return _records(name, staging, workspace)


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
