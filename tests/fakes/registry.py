"""A registry that forgets everything when the process ends."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from basketwise.errors import InputError
from basketwise.registry.protocol import (
    ApprovalState,
    ArchiveError,
    Change,
    ModelVersion,
    Submission,
)


@dataclass
class MemoryRegistry:
    """Versions, changes and archives, each in the order they came."""

    kept: dict[str, ModelVersion] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    archives: dict[str, bytes] = field(default_factory=dict)

    def load(self) -> None:
        pass

    def prepare(self) -> None:
        pass

    def register(self, submission: Submission, *, who: str) -> ModelVersion:
        archive = submission.model_archive.read_bytes()
        if hashlib.sha256(archive).hexdigest() != submission.sha256:
            raise InputError(f"{submission.model_archive} is not {submission.sha256}.")
        number = str(len(self.kept) + 1)
        change = self._note(number, None, ApprovalState.PENDING, who, "registered")
        self.archives[number] = archive
        self.kept[number] = ModelVersion(
            version=number,
            run_id=submission.run_id,
            state=ApprovalState.PENDING,
            created_at=change.at,
            sha256=submission.sha256,
            model_digest=submission.model_digest,
            uri=f"models:/memory/{number}",
            model_data_url=str(submission.model_archive),
            description=submission.description,
            metrics=dict(submission.metrics),
            tags=dict(submission.tags),
            champion=False,
        )
        return self.get(number)

    def get(self, version: str) -> ModelVersion:
        if version not in self.kept:
            raise InputError(f"There is no version {version!r}.", f"Registered: {list(self.kept)}")
        result = self.kept[version]
        history = self.history(version)
        change = "" if history[-1].old is None else f"\n\n{history[-1].new}: {history[-1].why}"
        return replace(
            result,
            state=history[-1].new,
            description=result.description + change,
            champion=version == self._leader(),
        )

    def versions(self) -> list[ModelVersion]:
        return [self.get(version) for version in reversed(self.kept)]

    def champion(self) -> ModelVersion | None:
        leader = self._leader()
        return self.get(leader) if leader else None

    def set_state(self, version: str, state: ApprovalState, *, who: str, why: str) -> ModelVersion:
        self._note(version, self.get(version).state, state, who, why)
        return self.get(version)

    def history(self, version: str | None = None) -> list[Change]:
        if version is not None and version not in self.kept:
            raise InputError(f"There is no version {version!r}.", f"Registered: {list(self.kept)}")
        return [change for change in self.changes if version in (None, change.version)]

    def outside(self) -> list[Change]:
        return []

    def sync(self) -> None:
        pass

    def fetch(self, version: str, folder: Path) -> Path:
        expected, archive = self.get(version).sha256, self.archives.get(version, b"")
        result = hashlib.sha256(archive).hexdigest()
        if result != expected:
            raise ArchiveError(f"Version {version} is {result}, not {expected}.")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "model.tar.gz"
        path.write_bytes(archive)
        return path

    def _leader(self) -> str | None:
        last = {change.version: change for change in self.changes}
        approved = [c for c in last.values() if c.new is ApprovalState.APPROVED]
        return max(approved, key=lambda change: change.at).version if approved else None

    def _note(
        self, version: str, old: ApprovalState | None, new: ApprovalState, who: str, why: str
    ) -> Change:
        later = [change.at + timedelta(microseconds=1) for change in self.changes]
        change = Change(max([datetime.now(UTC), *later]), version, old, new, who, why)
        self.changes.append(change)
        return change
