"""Records of the versions in SageMaker Model Registry, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from basketwise.aws.registry import ledger as sagemaker_ledger
from basketwise.aws.registry.ledger import Approval, Entry
from basketwise.aws.registry.packages import Package
from basketwise.errors import InputError
from basketwise.registry import ledger
from basketwise.registry.protocol import ApprovalState, Change, ModelVersion


@dataclass(frozen=True)
class Record:
    """A version: what SageMaker says and what the bucket contains.

    Attributes
    ----------
    status
        What SageMaker shows.
    approval
        The same with comment, time and user; None if it is not known and not needed, because the
        status is that of the last entry.
    entries
        Its changes, oldest first, beginning with the registration.
    deleted
        When it was noticed that SageMaker does not have it any more; None while it does.
    is_foreign
        Whether another workspace registered it.
    """

    package: Package
    status: ApprovalState
    approval: Approval | None
    entries: tuple[Entry, ...]
    deleted: datetime | None = None
    is_foreign: bool = False

    @property
    def version(self) -> str:
        """Its number."""
        return self.package.version

    @cached_property
    def unrecorded(self) -> Entry | None:
        """The entry for the change that was made elsewhere and is not stored yet."""
        if self.deleted is not None:
            return sagemaker_ledger.removal(self.entries, self.deleted)
        if self.approval is None:
            return None
        change = sagemaker_ledger.outside_change(self.entries, self.approval)
        return sagemaker_ledger.entry_of(change, self.approval) if change else None

    @cached_property
    def history(self) -> list[Change]:
        """All changes, oldest first."""
        stored = [entry.change for entry in self.entries]
        return [*stored, self.unrecorded.change] if self.unrecorded else stored

    @property
    def before_deletion(self) -> Record:
        """The record that a deleted version had before."""
        entries = [e for e in self.entries if not e.name.endswith(sagemaker_ledger.REMOVAL)]
        return replace(self, entries=tuple(entries), deleted=None)


@dataclass(frozen=True)
class Records:
    """The versions of a group, newest first, and those that were deleted in SageMaker."""

    present: list[Record]
    deleted: list[Record]

    @property
    def all(self) -> list[Record]:
        """All of them; numbers may occur twice, if the group was created again."""
        return [*self.present, *self.deleted]

    @cached_property
    def champion(self) -> str | None:
        """The number of the version that leads."""
        return ledger.leading({record.version: record.history for record in self.present})

    def changes(self) -> list[Change]:
        """Return the changes of all versions, oldest first."""
        changes = (change for record in self.all for change in record.history)
        return sorted(changes, key=lambda change: (change.at, int(change.version)))

    def history(self, version: str, group: str) -> list[Change]:
        """Return the changes of a number, oldest first; of a deleted version too.

        Raises InputError if it was never given.
        """
        if not any(record.version == version for record in self.deleted):
            self.of(version, group)
        return [change for change in self.changes() if change.version == version]

    def of(self, version: str, group: str) -> Record:
        """Return the record of a version; raises InputError if there is none of that number."""
        for record in self.present:
            if record.version == version:
                return record
        if any(record.version == version for record in self.deleted):
            raise was_deleted(version, group)
        known = ", ".join(record.version for record in self.present[:10]) or "none yet"
        raise InputError(
            f"There is no version {version!r} of {group} in SageMaker Model Registry.",
            f"Registered, newest first: {known}{', …' if len(self.present) > 10 else ''}.",
        )

    def outside(self) -> list[Change]:
        """Return the changes that were made elsewhere and are not stored yet, oldest first."""
        entries = [record.unrecorded for record in self.all if record.unrecorded]
        return sorted((entry.change for entry in entries), key=lambda change: change.at)


def was_deleted(version: str, group: str) -> InputError:
    """Return the error for a version that SageMaker does not have any more."""
    return InputError(
        f"Version {version} of {group} was deleted in SageMaker Model Registry.",
        f"What became of it: basketwise models history {version}",
    )


def version_of(record: Record, champion: str | None) -> ModelVersion:
    """Return a version as all registries do; ``champion`` is the number of the one that leads."""
    history, package, document = record.history, record.package, record.package.document
    description = package.description if document.description is None else document.description
    return ModelVersion(
        version=record.version,
        run_id=document.run_id,
        state=ledger.state_after(history),
        created_at=history[0].at,
        sha256=document.sha256,
        model_digest=document.model_digest,
        uri=package.arn,
        model_data_url=package.model_data_url,
        description=ledger.describe(description, history),
        metrics=dict(document.metrics),
        tags=dict(document.tags),
        image_uri=package.image_uri,
        champion=record.version == champion and record.deleted is None,
        workspace=package.workspace if record.is_foreign else "",
    )
