"""The registry on MLflow, embedded or on a server: a registered model, one version a training.

What a version is stands in its tags, written in one request when it is created: the digest, the
metrics, the run, the first change. Each later change adds one tag. The tag ``basketwise.state``,
the alias ``champion`` and MLflow's description repeat what follows from the changes, for whoever
looks with MLflow's own tools; Basketwise itself does not read them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from basketwise.errors import BasketwiseError, DependencyError, InputError
from basketwise.files import ARCHIVE
from basketwise.registry import ledger
from basketwise.registry.mlflow import files as mlflow_files
from basketwise.registry.mlflow import runs as mlflow_runs
from basketwise.registry.mlflow.calls import Address, translated
from basketwise.registry.mlflow.runs import OURS, RUN, SHA256
from basketwise.registry.protocol import ApprovalState, Change, ModelVersion, Submission

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

T = TypeVar("T")

METRICS = f"{OURS}metrics"
DESCRIPTION = f"{OURS}description"
STATE = f"{OURS}state"
CHAMPION = "champion"

ARTIFACTS = "artifacts"
"""Below the embedded registry's folder."""


class MlflowRegistry:
    """Keeps versions in MLflow.

    Parameters
    ----------
    client : mlflow.MlflowClient
        Of the SQLite file or the server.
    group : str
        Name of the registered model and of the experiment.
    address : Address
        Where the registry is, as error messages show it.
    """

    def __init__(self, client: MlflowClient, *, group: str, address: Address) -> None:
        self._client = client
        self._group = group
        self._address = address
        self._root = address.folder / ARTIFACTS if address.folder else None

    def register(self, submission: Submission, *, who: str) -> ModelVersion:
        """Keep a new version; it exists for others only once all its files are kept."""
        mlflow_files.check_files(submission)
        mlflow_runs.check_names(submission)
        experiment = self._call(
            "preparing the group",
            lambda: mlflow_runs.ensure_group(self._client, self._group, self._root),
        )
        run = self._call(
            "starting a run", lambda: mlflow_runs.start(self._client, experiment, submission)
        )
        run_id: str = run.info.run_id
        try:
            self._call(
                "keeping the results", lambda: mlflow_runs.log(self._client, run_id, submission)
            )
            self._call(
                "keeping the files",
                lambda: mlflow_files.store(self._client, self._root, run_id, submission),
            )
            self._call("closing a run", lambda: self._client.set_terminated(run_id, "FINISHED"))
            version = self._create_version(run, submission, who=who)
        except BaseException:
            # The first error is the one to report, whatever becomes of the half-made run.
            with suppress(BasketwiseError):
                self._call("closing a run", lambda: self._client.set_terminated(run_id, "FAILED"))
            raise
        return self.get(version)

    def get(self, version: str) -> ModelVersion:
        """Return one version."""
        _, found = self._one(version)
        return found

    def versions(self) -> list[ModelVersion]:
        """Return all versions, newest first."""
        records = self._records()
        champion = ledger.leading(_histories(records))
        return [self._read(record, champion) for record in records]

    def champion(self) -> ModelVersion | None:
        """Return the version that leads, or ``None``."""
        return next((version for version in self.versions() if version.champion), None)

    def set_state(self, version: str, state: ApprovalState, *, who: str, why: str) -> ModelVersion:
        """Add a change to a version's history, then repeat its consequences where MLflow shows."""
        records, before = self._one(version)
        histories = _histories(records)
        change = Change(
            at=ledger.next_moment(entry for history in histories.values() for entry in history),
            version=version,
            old=before.state,
            new=state,
            who=who,
            why=why,
        )
        key, text = ledger.entry_key(change), ledger.entry_text(change)
        self._call(
            "keeping a change",
            lambda: self._client.set_model_version_tag(self._group, version, key, text),
        )
        after = self.get(version)
        self._call("showing a change", lambda: self._show(after))
        return after

    def history(self, version: str | None = None) -> list[Change]:
        """Return the changes of one version, or of all, oldest first."""
        records = self._records() if version is None else self._one(version)[0]
        histories = _histories(records)
        if version is not None:
            return histories[version]
        changes = [change for history in histories.values() for change in history]
        return sorted(changes, key=lambda change: (change.at, int(change.version)))

    def fetch(self, version: str, folder: Path) -> Path:
        """Bring a version's ``model.tar.gz`` into ``folder``, checked against its digest."""
        records, found = self._one(version)
        if not found.sha256:
            raise DependencyError(
                f"Version {version} of {self._group} has no sha256: it is not from Basketwise.",
                "Use another version, or register the model with Basketwise.",
            )
        run_id = next(record.run_id for record in records if str(record.version) == version)
        with mlflow_files.scratch_in(folder) as scratch:
            brought = self._call(
                f"fetching the archive of version {version}",
                lambda: mlflow_files.bring(self._client, self._root, run_id, Path(scratch)),
            )
            return mlflow_files.accept(brought, folder, version=version, expected=found.sha256)

    def _call(self, doing: str, call: Callable[[], T]) -> T:
        return translated(self._address, doing, call)

    def _create_version(self, run: Run, submission: Submission, *, who: str) -> str:
        past = (change for history in _histories(self._records()).values() for change in history)
        first = Change(
            at=ledger.next_moment(past),
            version="",
            old=None,
            new=ApprovalState.PENDING,
            who=who,
            why=ledger.REGISTERED,
        )
        tags = mlflow_runs.version_tags(submission) | {
            RUN: submission.run_id,
            SHA256: submission.sha256,
            METRICS: json.dumps({name: float(v) for name, v in submission.metrics.items()}),
            DESCRIPTION: ledger.describe(submission.description, []),
            STATE: str(first.new),
            ledger.entry_key(first): ledger.entry_text(first),
        }
        created = self._call(
            "creating the version",
            lambda: self._client.create_model_version(
                self._group,
                f"{run.info.artifact_uri}/{ARCHIVE}",
                run_id=run.info.run_id,
                tags=tags,
                description=tags[DESCRIPTION],
                await_creation_for=0,
            ),
        )
        return str(created.version)

    def _show(self, version: ModelVersion) -> None:
        number = version.version
        self._client.set_model_version_tag(self._group, number, STATE, str(version.state))
        self._client.update_model_version(self._group, number, version.description)
        champion = self.champion()
        if champion is None:
            self._client.delete_registered_model_alias(self._group, CHAMPION)
        else:
            self._client.set_registered_model_alias(self._group, CHAMPION, champion.version)

    def _records(self) -> list[Any]:
        """Return MLflow's own versions of the group, newest first."""

        def search() -> list[Any]:
            found: list[Any] = []
            token: str | None = None
            while page := self._client.search_model_versions(
                f"name='{self._group}'", page_token=token
            ):
                found.extend(page)
                token = page.token
                if not token:
                    break
            return sorted(found, key=lambda record: int(record.version), reverse=True)

        return self._call("reading the versions", search)

    def _one(self, version: str) -> tuple[list[Any], ModelVersion]:
        records = self._records()
        champion = ledger.leading(_histories(records))
        for record in records:
            if str(record.version) == version:
                return records, self._read(record, champion)
        known = ", ".join(str(record.version) for record in records[:10]) or "none yet"
        raise InputError(
            f"There is no version {version!r} of {self._group} in the registry at "
            f"{self._address.uri}.",
            f"Registered, newest first: {known}{', …' if len(records) > 10 else ''}.",
        )

    def _read(self, record: Any, champion: str | None) -> ModelVersion:
        tags: dict[str, str] = record.tags
        version = str(record.version)
        history = ledger.read_entries(version, tags)
        created = datetime.fromtimestamp(record.creation_timestamp / 1000, UTC)
        return ModelVersion(
            version=version,
            run_id=tags.get(RUN, record.run_id or ""),
            state=ledger.state_after(history),
            created_at=history[0].at if history else created,
            sha256=tags.get(SHA256, ""),
            uri=f"models:/{self._group}/{version}",
            model_data_url=mlflow_files.location(self._root, record.run_id, record.source),
            description=ledger.describe(tags.get(DESCRIPTION, record.description or ""), history),
            metrics=json.loads(tags.get(METRICS, "{}")),
            tags={name: value for name, value in tags.items() if not name.startswith(OURS)},
            champion=version == champion,
        )


def _histories(records: list[Any]) -> dict[str, list[Change]]:
    return {str(r.version): ledger.read_entries(str(r.version), r.tags) for r in records}
