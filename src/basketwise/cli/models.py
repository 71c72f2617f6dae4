"""``basketwise models …``: the registry."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from basketwise.cli.commands import completed
from basketwise.cli.options import Common, common, context, user
from basketwise.cli.output import emit, shown, shown_score
from basketwise.storage.scheme import scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from basketwise.registry.approval import Approvals, Changed
    from basketwise.registry.protocol import ModelVersion, Registry
    from basketwise.run.context import Context

WHY = click.option("--why", default="", metavar="TEXT", help="Recorded in the history.")
VERSION = click.argument("version")


@click.group()
def models() -> None:
    """List, show, approve, reject and roll back versions."""


@models.command("list")
@common
def list_versions(common: Common) -> None:
    """List all versions, newest first."""
    registry, _ = _open(common)
    versions = registry.versions()
    table = [f"{'version':<10}{'state':<24}{'accuracy':>9}{'macro-F1':>10}  registered (UTC)"]
    for version in versions:
        scores = (version.metrics.get("accuracy"), version.metrics.get("f1_score"))
        accuracy, f1 = ("–" if score is None else shown_score(score) for score in scores)
        notes = "  champion" if version.champion else ""
        notes += f"  of {version.workspace}" if version.workspace else ""
        table.append(
            f"{version.version:<10}{version.state!s:<24}{accuracy:>9}{f1:>10}  "
            f"{version.created_at:%Y-%m-%d %H:%M}{notes}"
        )
    if not versions:
        in_cloud = scheme_of(common.workspace) == "s3"
        creating = "basketwise aws run --data PATH" if in_cloud else "basketwise run PATH"
        table = [completed(f"No versions yet. To create one: {creating}", common.named)]
    emit(common, {"versions": [_document(version) for version in versions]}, *table)


@models.command()
@VERSION
@common
def show(version: str, common: Common) -> None:
    """Show one version, or 'champion'."""
    from basketwise.registry.protocol import find_version

    registry, _ = _open(common)
    document = _document(find_version(registry, version))
    lines = []
    for name, value in document.items():
        if isinstance(value, dict):
            lines.append(name)
            for key, inner in sorted(value.items()):
                text = f"{inner:.6g}" if isinstance(inner, float) else inner
                lines.append(f"  {key:<32}{text}")
        else:
            # No line of a value begins where a name would.
            first, *rest = str(value).splitlines() or [""]
            lines += [f"{name:<16}{first}", *(f"{'':<16}{line}" for line in rest)]
    emit(common, document, *lines)


@models.command()
@VERSION
@WHY
@common
def approve(version: str, why: str, common: Common) -> None:
    """Approve a version: it becomes the champion."""
    _change(version, "Approved", why or "approved manually", common)


@models.command(short_help="Reject a version.")
@VERSION
@WHY
@common
def reject(version: str, why: str, common: Common) -> None:
    """Reject a version; if it is the champion, the previous one becomes the champion."""
    _change(version, "Rejected", why or "rejected manually", common)


@models.command(short_help="Reject the champion: the previous one takes its place.")
@WHY
@common
def rollback(why: str, common: Common) -> None:
    """Reject the champion, so that the previous one becomes the champion again."""
    with _changing(common) as (approvals, ctx):
        changed = approvals.rollback(who=user(), why=why or "no reason given")
    rejected, path = changed.version.version, _address(changed, ctx)
    champion = changed.champion.version if changed.champion else None
    _warn(changed)
    emit(
        common,
        {"rejected": rejected, "champion": champion, "config": path},
        f"Version {rejected} is rejected; version {champion} is the champion again.",
        _latest(path),
    )


@models.command()
@click.argument("version", required=False)
@common
def history(version: str | None, common: Common) -> None:
    """Show who changed what, when and why; of one version or of all."""
    from basketwise.registry.ledger import described
    from basketwise.registry.protocol import CHAMPION, find_version

    registry, _ = _open(common)
    if version == CHAMPION:
        version = find_version(registry, version).version
    changes = registry.history(version)
    lines = [f"{change.at:%Y-%m-%d %H:%M:%S}  {described(change)}" for change in changes]
    documents = [{**vars(change), "at": change.at.isoformat()} for change in changes]
    emit(common, {"changes": documents}, *lines)


def _open(shared: Common) -> tuple[Registry, Context]:
    """Open the registry; the export of a change that was cut off is finished first."""
    from basketwise.registry.approval import finish_export
    from basketwise.registry.opening import existing_registry

    ctx = context(shared, shared.config())
    storage = ctx.workspace.storage
    registry = existing_registry(ctx.config, storage)
    finish_export(registry, storage, ctx.config.deployment)
    return registry, ctx


@contextmanager
def _changing(shared: Common) -> Iterator[tuple[Approvals, Context]]:
    """Hold the workspace's lock, and give what changes states of versions."""
    from basketwise.registry.ledger import described
    from basketwise.run.pipeline import approvals_of

    registry, ctx = _open(shared)
    with ctx.workspace.storage.exclusive():
        approvals = approvals_of(registry, ctx)
        for change in approvals.sync():
            click.echo(f"noted     {described(change)}", err=True)
        yield approvals, ctx


def _change(version: str, state: str, why: str, shared: Common) -> None:
    from basketwise.registry.protocol import find_version

    with _changing(shared) as (approvals, ctx):
        number = find_version(approvals.registry, version).version
        change = approvals.approve if state == "Approved" else approvals.reject
        changed = change(number, who=user(), why=why)
    _warn(changed)
    text = f"Version {number} is {changed.version.state}."
    emit(shared, _document(changed.version), text, _latest(_address(changed, ctx)))


def _address(changed: Changed, ctx: Context) -> str | None:
    from basketwise.files import DEPLOYMENT_CONFIGS

    name = changed.config
    return ctx.workspace.address(DEPLOYMENT_CONFIGS, name) if name else None


def _warn(changed: Changed) -> None:
    for other in changed.unusable:
        click.echo(f"warning   {other}; it is PendingManualApproval now", err=True)


def _latest(path: str | None) -> str:
    if path is None:
        return "There is no champion, so there is no latest_model_config.json."
    return f"latest_model_config.json names the champion; also written: {shown(path)}"


def _document(version: ModelVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "state": str(version.state),
        "champion": version.champion,
        "run_id": version.run_id,
        "created_at": version.created_at.isoformat(timespec="seconds"),
        "workspace": version.workspace,
        "uri": version.uri,
        "model_data_url": version.model_data_url,
        "model_digest": version.model_digest,
        "sha256": version.sha256,
        "description": version.description,
        "metrics": version.metrics,
        "tags": version.tags,
    }
