"""Records of the versions in SageMaker Model Registry, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from basketwise.aws.registry import ledger as sagemaker_ledger
from basketwise.aws.registry.document import Document
from basketwise.aws.registry.ledger import Approval, Entry
from basketwise.errors import InputError
from basketwise.registry import ledger
from basketwise.registry.protocol import Change, ModelVersion


@dataclass(frozen=True)
class Record:
    """A version: what SageMaker says and what the bucket contains."""

    version: str
    arn: str
    model_data_url: str
    image_uri: str | None
    description: str
    approval: Approval
    document: Document
    changes: str
    """Prefix of the keys of its changes."""
    entries: tuple[Entry, ...]

    @property
    def unrecorded(self) -> Change | None:
        """The change that was made in SageMaker and is not stored yet."""
        return sagemaker_ledger.outside_change(self.entries, self.approval)

    @property
    def history(self) -> list[Change]:
        """All changes, oldest first."""
        stored = [entry.change for entry in self.entries]
        return [*stored, self.unrecorded] if self.unrecorded else stored


def changes_of(records: Iterable[Record]) -> list[Change]:
    """Return the changes of all versions, unordered."""
    return [change for record in records for change in record.history]


def record_of(records: list[Record], version: str, group: str) -> Record:
    """Return the record of a version; raises InputError if there is none of that number."""
    for record in records:
        if record.version == version:
            return record
    known = ", ".join(record.version for record in records[:10]) or "none yet"
    raise InputError(
        f"There is no version {version!r} of {group} in SageMaker Model Registry.",
        f"Registered, newest first: {known}{', …' if len(records) > 10 else ''}.",
    )


def version_of(records: list[Record], version: str, group: str) -> ModelVersion:
    """Return one version; ``records`` are all that the registry contains."""
    record = record_of(records, version, group)
    history, document = record.history, record.document
    description = record.description if document.description is None else document.description
    return ModelVersion(
        version=version,
        run_id=document.run_id,
        state=ledger.state_after(history),
        created_at=history[0].at,
        sha256=document.sha256,
        model_digest=document.model_digest,
        uri=record.arn,
        model_data_url=record.model_data_url,
        description=ledger.describe(description, history),
        metrics=dict(document.metrics),
        tags=dict(document.tags),
        image_uri=record.image_uri,
        champion=version == ledger.leading({other.version: other.history for other in records}),
    )
