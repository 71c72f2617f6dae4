"""Approving, rejecting and rolling back: the change in the registry and its export, as one step.

A version becomes the champion only after it has been fetched, opened and has scored an example.
Before the registry is changed, the intention is stored in the workspace; it is removed when
``latest_model_config.json`` names the champion. So a process that is killed between the two leaves
a note, and the next command that opens the registry finishes its work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basketwise import clock
from basketwise.config import DeploymentConfig
from basketwise.errors import BasketwiseError, InputError
from basketwise.files import DEPLOYMENT_CONFIGS
from basketwise.registry.deployment import (
    LATEST,
    build_deployment_config,
    exported,
    write_deployment_config,
)
from basketwise.registry.protocol import ApprovalState, Change, ModelVersion, Registry
from basketwise.registry.usable import (
    UNUSABLE,
    Unusable,
    read_results,
    reason,
    try_version,
    ways_out,
)
from basketwise.storage.protocol import Storage

PENDING_EXPORT = ".pending-export"
"""The file in a workspace that says that the export of a change has not finished."""


@dataclass(frozen=True)
class Changed:
    """What became of a change.

    ``config`` is the name of the champion's file in ``deployment-configs/``, None if there is no
    champion. ``unusable`` are versions that could not succeed a rejected champion, and have been
    set to ``PendingManualApproval``.
    """

    version: ModelVersion
    champion: ModelVersion | None
    config: str | None
    unusable: tuple[Unusable, ...] = ()


@dataclass(frozen=True)
class Approvals:
    """Changes the states of versions; the caller holds the workspace's lock."""

    registry: Registry
    storage: Storage
    config: DeploymentConfig
    try_version: Callable[[Registry, str, Path], dict[str, Any]] = try_version
    """Returns the results of a version that has scored an example, or raises UNUSABLE."""
    _results: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)

    def approve(self, version: str, *, who: str, why: str) -> Changed:
        """Approve a version that can be used: it becomes the champion.

        Raises
        ------
        InputError, ArchiveError
            If the version cannot be used; nothing is changed then.
        """
        chosen = self.registry.get(version)
        try:
            self._try(version)
        except UNUSABLE as error:
            raise type(error)(
                f"Version {version} was not approved: {error.headline}",
                "\n".join(ways_out(self.registry, chosen)) or error.hint,
            ) from error
        with self._intended():
            changed = self.registry.set_state(version, ApprovalState.APPROVED, who=who, why=why)
            champion, path = self._followed()
        return Changed(changed, champion, path)

    def reject(self, version: str, *, who: str, why: str) -> Changed:
        """Reject a version; if it is the champion, the usable one approved before it leads.

        Without such a version there is no champion.
        """
        leads = self.registry.get(version).champion
        return self._reject(version, self._unusable() if leads else (), who=who, why=why)

    def rollback(self, *, who: str, why: str) -> Changed:
        """Reject the champion, so that the usable version approved before it leads again.

        The history of the version says ``rolled back: <why>``.

        Raises
        ------
        InputError
            If no version leads, or no other approved version can be used; nothing is changed then.
        """
        champion = self.registry.champion()
        if champion is None:
            raise InputError(
                "There is nothing to roll back: no version is approved.",
                "Approve a version first: basketwise models approve VERSION",
            )
        others, unusable = len(self._approved()) - 1, self._unusable()
        if others == len(unusable):
            why_not = "; ".join(map(str, unusable)) or "no other version is approved"
            raise InputError(
                f"Version {champion.version} cannot be rolled back: {why_not}.",
                "Approve an earlier version first, or reject this one to be left without a "
                f"champion: basketwise models reject {champion.version}",
            )
        return self._reject(champion.version, unusable, who=who, why=f"rolled back: {why}")

    def is_stored(self, version: ModelVersion) -> bool:
        """Whether the registry still has a version's archive as it was registered."""
        try:
            self._results[version.version] = read_results(
                self.registry, version.version, self.storage.scratch
            )
        except UNUSABLE:
            return False
        return True

    def export(self, version: ModelVersion) -> str:
        """Write a version's deployment configuration, and return the file's name.

        ``latest_model_config.json`` is written too if the version is the champion.
        """
        # The caller may have asked for the version before its state changed.
        return self._export(self.registry.get(version.version))

    def follow(self) -> str | None:
        """Let ``latest_model_config.json`` name the champion, or remove it if there is none.

        Returns the name of the champion's file. The file of a champion that it names already is not
        written anew, unless the champion has just been approved.
        """
        _, path = self._followed()
        return path

    def sync(self) -> list[Change]:
        """Store the changes of versions that were made elsewhere, and let the export follow.

        Returns the changes. A version that was approved elsewhere, and becomes the champion, has
        not been tried here: if it cannot be exported there is no ``latest_model_config.json``.
        """
        changes = self.registry.outside()
        if changes:
            with self._intended():
                self.registry.sync()
                try:
                    self.follow()
                except UNUSABLE:
                    self._remove_latest()
        return changes

    def finish(self) -> None:
        """Finish the export of a change that was cut off; an error is left to the next command."""
        if self.storage.exists(PENDING_EXPORT):
            with suppress(BasketwiseError), self._intended():
                self.follow()

    def _followed(self) -> tuple[ModelVersion | None, str | None]:
        """Let the export follow, and return the champion and the name of its file."""
        champion = self.registry.champion()
        if champion is None:
            self._remove_latest()
            return None, None
        if champion.version not in self._results:
            path = exported(self.storage.local(DEPLOYMENT_CONFIGS), champion)
            if path is not None:
                return champion, path.name
        return champion, self._export(champion)

    def _export(self, current: ModelVersion) -> str:
        """Write the deployment configuration of a version as the registry has it now."""
        number = current.version
        if number not in self._results:
            self._results[number] = read_results(self.registry, number, self.storage.scratch)
        now = clock.now()
        document = build_deployment_config(
            current, self._results[number], self.config, exported_at=now
        )
        leads = current.champion and current.state is ApprovalState.APPROVED
        with self.storage.edit(DEPLOYMENT_CONFIGS) as folder:
            return write_deployment_config(folder, document, latest=leads, at=now).name

    def _remove_latest(self) -> None:
        with self.storage.edit(DEPLOYMENT_CONFIGS) as folder:
            (folder / LATEST).unlink(missing_ok=True)

    @contextmanager
    def _intended(self) -> Iterator[None]:
        self.storage.write(PENDING_EXPORT, b"{}\n")
        yield
        self.storage.delete(PENDING_EXPORT)

    def _try(self, version: str) -> None:
        self._results[version] = self.try_version(self.registry, version, self.storage.scratch)

    def _reject(
        self, version: str, unusable: tuple[Unusable, ...], *, who: str, why: str
    ) -> Changed:
        with self._intended():
            # First, so that none of them ever leads.
            for other in unusable:
                text = f"cannot succeed version {version}: {other.why}"
                self.registry.set_state(other.version, ApprovalState.PENDING, who=who, why=text)
            changed = self.registry.set_state(version, ApprovalState.REJECTED, who=who, why=why)
            champion, path = self._followed()
        return Changed(changed, champion, path, unusable)

    def _unusable(self) -> tuple[Unusable, ...]:
        """Return the approved versions that cannot be used, up to the next that can.

        An error that may pass, as of a server that is down, is raised: nothing is known then.
        """
        unusable = []
        for version in self._approved()[1:]:
            try:
                self._try(version)
                break
            except UNUSABLE as error:
                unusable.append(Unusable(version, reason(error)))
        return tuple(unusable)

    def _approved(self) -> list[str]:
        """Return the approved versions, the champion first, then those approved before it."""
        last = {change.version: change for change in self.registry.history()}
        approved = [change for change in last.values() if change.new is ApprovalState.APPROVED]
        approved.sort(key=lambda change: (change.at, int(change.version)), reverse=True)
        return [change.version for change in approved]


def finish_export(registry: Registry, storage: Storage, config: DeploymentConfig) -> None:
    """Finish the export of a change that was cut off, unless another command is at work.

    Of a workspace that this user may only read, it is left to others.
    """
    with suppress(BasketwiseError):
        if storage.exists(PENDING_EXPORT):
            with storage.exclusive():
                Approvals(registry, storage, config).finish()
