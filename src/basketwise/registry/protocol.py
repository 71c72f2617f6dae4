"""The protocol of a model registry.

Approval is a property of a *version*; the *champion* is the version that was approved last and is
still approved. So a rollback is nothing but a rejection: the version approved before it leads
again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from basketwise.errors import DependencyError, InputError

CHAMPION = "champion"
"""Names the version that leads, wherever a version is asked for."""


class ArchiveError(DependencyError):
    """The archive of a version is missing, or not what was registered: waiting does not help."""


class ApprovalState(StrEnum):
    """The states a version can be in, spelled as SageMaker Model Registry spells them."""

    PENDING = "PendingManualApproval"
    APPROVED = "Approved"
    REJECTED = "Rejected"


@dataclass(frozen=True)
class TrainedCandidate:
    """One of the models that the submitted one was chosen from."""

    name: str
    metrics: dict[str, float]
    params: dict[str, str]


@dataclass(frozen=True)
class Origin:
    """What a model came from."""

    started_at: datetime
    """Timezone-aware."""
    seconds: float
    command: str
    """What repeats the run."""
    data: str
    """Where the raw files were."""
    data_hash: str
    lines: int
    """Accepted lines."""
    git_commit: str = ""


@dataclass(frozen=True)
class Submission:
    """A trained model on its way into the registry."""

    run_id: str
    """The run that trained it."""
    model_archive: Path
    sha256: str
    """Hex digest of the archive."""
    description: str
    """One line for people, then one for each rule of the gate."""
    metrics: dict[str, float]
    """Finite numbers by name (``test_accuracy`` …)."""
    params: dict[str, str]
    """Settings by name, as text."""
    tags: dict[str, str] = field(default_factory=dict)
    """Anything else worth finding a version by."""
    attachments: tuple[Path, ...] = ()
    """Local files to store with the version: plots, ``report.html``, ``report.json``."""
    model_digest: str = ""
    """Identity of the model (:func:`basketwise.registry.identity.model_digest`), if known."""
    card: str = ""
    """The model card, in Markdown."""
    candidates: tuple[TrainedCandidate, ...] = ()
    """All that were trained, the winner among them."""
    origin: Origin | None = None


@dataclass(frozen=True)
class ModelVersion:
    """One registered version as the registry knows it now."""

    version: str
    run_id: str
    state: ApprovalState
    created_at: datetime
    sha256: str
    uri: str
    """What the registry calls this version (``models:/name/3``, a model package ARN)."""
    model_data_url: str
    """Where its ``model.tar.gz`` is stored."""
    description: str
    metrics: dict[str, float]
    tags: dict[str, str]
    champion: bool
    model_digest: str = ""
    """Identity of the model; empty for versions of Basketwise before 0.2."""
    image_uri: str | None = None
    """Container image that serves it, where the registry knows of one."""
    workspace: str = ""
    """Address of the workspace that registered it, if that is another one."""


@dataclass(frozen=True)
class Change:
    """One change of a version's approval state: when, who, what, why."""

    at: datetime
    version: str
    old: ApprovalState | None
    """``None`` for the registration itself."""
    new: ApprovalState
    who: str
    why: str
    made_in: str = ""
    """Where it was made, if not in this workspace: the address of another one, or ``SageMaker``."""


class Registry(Protocol):
    """A store of versions, their approval and the history of both.

    All times are UTC and timezone-aware. ``who`` and ``why`` are stored as given. Reading creates
    nothing: a registry that nobody registered in is empty. Versions are
    numbered ``"1"``, ``"2"``, … in the order of registration.

    Raises
    ------
    InputError
        From any method that is asked for a version which does not exist.
    ArchiveError
        From :meth:`fetch`, if the archive is missing or was changed.
    DependencyError
        From any method when the registry cannot be reached or refuses.
    """

    def load(self) -> None:
        """Do ahead what takes seconds and changes nothing; may run in a thread."""

    def prepare(self) -> None:
        """Do ahead what a registration needs and what takes seconds; may run in a thread."""

    def register(self, submission: Submission, *, who: str) -> ModelVersion:
        """Store a new version, in state ``PendingManualApproval``."""

    def get(self, version: str) -> ModelVersion:
        """Return one version."""

    def versions(self) -> list[ModelVersion]:
        """Return all versions, newest first; an empty registry is no error."""

    def champion(self) -> ModelVersion | None:
        """Return the version approved last of those still approved, or ``None``."""

    def set_state(self, version: str, state: ApprovalState, *, who: str, why: str) -> ModelVersion:
        """Change a version's state; the same state again is stored in the history too."""

    def history(self, version: str | None = None) -> list[Change]:
        """Return the changes of one version, or of all, oldest first."""

    def outside(self) -> list[Change]:
        """Return the changes, oldest first, that were made elsewhere and are not stored yet.

        They are in the history, and have their effect, whether they are stored or not.
        """

    def sync(self) -> None:
        """Store the changes that were made elsewhere."""

    def fetch(self, version: str, folder: Path) -> Path:
        """Copy a version's ``model.tar.gz`` into ``folder``; its sha256 has been checked."""


def find_version(registry: Registry, version: str) -> ModelVersion:
    """Return a version by its number, or the champion.

    Raises
    ------
    InputError
        If there is no such version, or none is approved.
    """
    try:
        chosen = registry.champion() if version == CHAMPION else registry.get(version)
    except InputError as error:
        hint = f"{error.hint} The version in production is called {CHAMPION!r}."
        raise InputError(error.headline, hint.strip()) from None
    if chosen is None:
        raise InputError(
            "There is no champion: no version is approved.",
            "Approve one with 'basketwise models approve VERSION', or name a version.",
        )
    return chosen
