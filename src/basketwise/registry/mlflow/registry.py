"""The registry on MLflow, embedded or on a server: a registered model, one version a training.

What a version is stands in its tags, written in one request when it is created: the digest, the
metrics, the run, the first change. Each later change adds one tag. The tag ``basketwise.state``,
the alias ``champion`` and MLflow's description repeat what follows from the changes, for whoever
looks with MLflow's own tools; Basketwise itself does not read them.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from basketwise.errors import BasketwiseError, DependencyError, InputError
from basketwise.files import ARCHIVE
from basketwise.registry import ledger
from basketwise.registry.files import accept, check_files, scratch_in
from basketwise.registry.mlflow import files as mlflow_files
from basketwise.registry.mlflow import runs as mlflow_runs
from basketwise.registry.mlflow.calls import Address, is_missing, translated
from basketwise.registry.mlflow.database import (
    DATABASE,
    RUN,
    Record,
    StateWriter,
    Unregistered,
    load,
    read_groups,
    read_records,
    read_unregistered,
)
from basketwise.registry.mlflow.runs import MODEL, OURS, SHA256
from basketwise.registry.protocol import (
    CHAMPION,
    ApprovalState,
    ArchiveError,
    Change,
    ModelVersion,
    Submission,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

P = ParamSpec("P")
T = TypeVar("T")

METRICS = f"{OURS}metrics"
DESCRIPTION = f"{OURS}description"
STATE = f"{OURS}state"

ARTIFACTS = "artifacts"
"""Below the embedded registry's folder."""


class MlflowRegistry:
    """Stores versions in MLflow; reads the embedded registry's without it.

    ``group`` is the name of the registered model and of the experiment. ``connect`` is only called
    when MLflow is needed; it creates the SQLite file if need be.
    """

    def __init__(
        self, address: Address, *, group: str, connect: Callable[[], MlflowClient]
    ) -> None:
        self._address = address
        self._group = group
        self._connect = connect
        self._root = address.folder / ARTIFACTS if address.folder else None
        self._database = address.folder / DATABASE if address.folder else None
        # MLflow and a library of its own filter warnings while they are loaded. That may be in a
        # thread (see prepare), and filters are lost where another thread restores those of before.
        warnings.filterwarnings("ignore", message="SOCKS support in urllib3")
        warnings.filterwarnings("ignore", module=r"mlflow\.")

    @cached_property
    def _client(self) -> MlflowClient:
        return self._call("opening it", self._connect)

    def load(self) -> None:
        """Load MLflow, and make what a new embedded registry is a copy of."""
        load(self._database)

    def prepare(self) -> None:
        """Load MLflow and create the embedded registry."""
        _ = self._client

    def register(self, submission: Submission, *, who: str) -> ModelVersion:
        """Store a new version; it exists for others only once all its files are stored."""
        check_files(submission)
        mlflow_runs.check_names(submission)
        experiment = self._ask(
            "preparing the group", mlflow_runs.ensure_group, self._group, self._root
        )
        run = self._ask("starting a run", mlflow_runs.start, experiment, submission)
        run_id: str = run.info.run_id
        model: LoggedModel | None = None
        try:
            model = self._ask("logging the model", mlflow_runs.log_model, run, submission)
            model_id = model.model_id
            self._ask("storing the results", mlflow_runs.log, run, model_id, submission)
            self._ask("storing the files", mlflow_files.store, self._root, model, submission)
            self._ask("closing a run", mlflow_runs.finish, run_id, submission, model_id)
            version = self._create_version(model, submission, who=who)
        except BaseException:
            # The first error is the one to report, whatever becomes of the half-made run.
            if model is not None:
                mlflow_files.discard(self._root, model)
            with suppress(BasketwiseError):
                self._ask("closing a run", mlflow_runs.fail, run_id)
            raise
        self._ask("showing the version", mlflow_runs.show_version, model_id, self._group, version)
        return self.get(version)

    def get(self, version: str) -> ModelVersion:
        """Return one version."""
        records = self._records()
        return self._version(records, self._record(records, version))

    def versions(self) -> list[ModelVersion]:
        """Return all versions, newest first."""
        records = self._records()
        return [self._version(records, record) for record in records]

    def versions_of_all_groups(self) -> list[ModelVersion]:
        """Return all versions of Basketwise in the same store, whatever their group."""
        groups = self._call("reading the versions", self._groups)
        others = (
            MlflowRegistry(self._address, group=group, connect=lambda: self._client)
            for group in {*groups, self._group}
        )
        return [version for registry in others for version in registry.versions()]

    def unregistered(self) -> list[Unregistered]:
        """Return what the embedded registry has of registrations without a version."""
        database = self._database
        if database is None or not database.exists():
            return []
        return self._call("reading the runs", lambda: read_unregistered(database))

    def champion(self) -> ModelVersion | None:
        """Return the version that leads, or ``None``."""
        return next((version for version in self.versions() if version.champion), None)

    def set_state(self, version: str, state: ApprovalState, *, who: str, why: str) -> ModelVersion:
        """Add a change to a version's history, then repeat its consequences where MLflow shows."""
        records = self._records()
        record = self._record(records, version)
        change = Change(
            at=ledger.next_moment(_changes(records)),
            version=version,
            old=ledger.state_after(record.history),
            new=state,
            who=who,
            why=why,
        )
        key, text = ledger.entry_key(change), ledger.entry_text(change)
        writer = self._call("opening it", self._state_writer)
        self._call(
            "storing a change",
            lambda: writer.set_model_version_tag(self._group, version, key, text),
        )
        after = self.get(version)
        self._call("showing a change", lambda: self._show(writer, after))
        return after

    def history(self, version: str | None = None) -> list[Change]:
        """Return the changes of one version, or of all, oldest first."""
        records = self._records()
        if version is not None:
            return self._record(records, version).history
        return sorted(_changes(records), key=lambda change: (change.at, int(change.version)))

    def outside(self) -> list[Change]:
        """Return no changes: MLflow shows states, but takes none from others."""
        return []

    def sync(self) -> None:
        """Do nothing: there are no changes that were made elsewhere."""

    def fetch(self, version: str, folder: Path) -> Path:
        """Copy a version's ``model.tar.gz`` into ``folder``, checked against its digest."""
        record = self._record(self._records(), version)
        expected = record.tags.get(SHA256)
        if not expected:
            raise ArchiveError(
                f"Version {version} of {self._group} has no sha256: it is not from Basketwise.",
                "Use another version, or register the model with Basketwise.",
            )
        with scratch_in(folder) as scratch:
            try:
                archive = self._call(
                    f"fetching the archive of version {version}",
                    lambda: self._download(record, Path(scratch)),
                )
            except DependencyError as error:
                if is_missing(error.__cause__):
                    raise ArchiveError(error.headline, error.hint) from error
                raise
            return accept(archive, folder, version=version, expected=expected)

    def _download(self, record: Record, folder: Path) -> Path:
        if self._root is None:
            return mlflow_files.download(self._client, record.source, folder)
        return Path(shutil.copy2(self._location(record), folder / ARCHIVE))

    def _call(self, doing: str, call: Callable[[], T]) -> T:
        return translated(self._address, doing, call)

    def _ask(
        self,
        doing: str,
        function: Callable[Concatenate[MlflowClient, P], T],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> T:
        return self._call(doing, lambda: function(self._client, *arguments, **options))

    def _create_version(self, model: LoggedModel, submission: Submission, *, who: str) -> str:
        first = Change(
            at=ledger.next_moment(_changes(self._records())),
            version="",
            old=None,
            new=ApprovalState.PENDING,
            who=who,
            why=ledger.REGISTERED,
        )
        tags = mlflow_runs.version_tags(submission) | {
            RUN: submission.run_id,
            SHA256: submission.sha256,
            MODEL: submission.model_digest,
            METRICS: json.dumps({name: float(v) for name, v in submission.metrics.items()}),
            DESCRIPTION: ledger.describe(submission.description, []),
            STATE: str(first.new),
            ledger.entry_key(first): ledger.entry_text(first),
        }
        created = self._call(
            "creating the version",
            lambda: self._client.create_model_version(
                self._group,
                model.artifact_location,
                run_id=model.source_run_id,
                tags={name: value for name, value in tags.items() if value},
                description=tags[DESCRIPTION],
                await_creation_for=0,
                model_id=model.model_id,
            ),
        )
        return str(created.version)

    def _state_writer(self) -> StateWriter | MlflowClient:
        if self._database is not None and StateWriter.suits(self._database):
            return StateWriter(self._database)
        return self._client

    def _show(self, writer: StateWriter | MlflowClient, version: ModelVersion) -> None:
        number = version.version
        writer.set_model_version_tag(self._group, number, STATE, str(version.state))
        writer.update_model_version(self._group, number, version.description)
        champion = self.champion()
        if champion is None:
            writer.delete_registered_model_alias(self._group, CHAMPION)
        else:
            writer.set_registered_model_alias(self._group, CHAMPION, champion.version)

    def _records(self) -> list[Record]:
        """Return all versions of the group, newest first."""
        records = self._call("reading the versions", self._read)
        with self._readable("the versions"):
            return sorted(records, key=lambda record: int(record.version), reverse=True)

    @contextmanager
    def _readable(self, what: str) -> Iterator[None]:
        """Report what is stored, but not as Basketwise stores it."""
        try:
            yield
        except ledger.UNREADABLE as error:
            raise DependencyError(
                f"The registry at {self._address.uri} cannot be read: {what}: {error}.",
                ledger.DAMAGED,
            ) from error

    def _read(self) -> list[Record]:
        if self._database is not None:
            if not self._database.exists():
                return []
            records = read_records(self._database, self._group)
            if records is not None:
                return records
        return mlflow_runs.search_records(self._client, self._group)

    def _groups(self) -> list[str]:
        if self._database is not None:
            if not self._database.exists():
                return []
            groups = read_groups(self._database)
            if groups is not None:
                return groups
        return mlflow_runs.search_groups(self._client)

    def _record(self, records: list[Record], version: str) -> Record:
        for record in records:
            if record.version == version:
                return record
        known = ", ".join(record.version for record in records[:10]) or "none yet"
        raise InputError(
            f"There is no version {version!r} of {self._group} in the registry at "
            f"{self._address.uri}.",
            f"Registered, newest first: {known}{', …' if len(records) > 10 else ''}.",
        )

    def _location(self, record: Record) -> str:
        if SHA256 not in record.tags:
            # Of another tool: whatever it registered.
            return record.source
        return mlflow_files.location(self._root, record.source)

    def _version(self, records: list[Record], record: Record) -> ModelVersion:
        """Return one of ``records``, which are all of the group, as everybody sees it."""
        with self._readable(f"version {record.version}"):
            return self._as_stored(records, record)

    def _as_stored(self, records: list[Record], record: Record) -> ModelVersion:
        tags, history = record.tags, record.history
        champion = ledger.leading({other.version: other.history for other in records})
        created = datetime.fromtimestamp(record.created / 1000, UTC)
        return ModelVersion(
            version=record.version,
            run_id=tags.get(RUN, record.run_id),
            state=ledger.state_after(history),
            created_at=history[0].at if history else created,
            sha256=tags.get(SHA256, ""),
            model_digest=tags.get(MODEL, ""),
            uri=f"models:/{self._group}/{record.version}",
            model_data_url=self._location(record),
            description=ledger.describe(tags.get(DESCRIPTION, record.description), history),
            metrics={n: float(v) for n, v in json.loads(tags.get(METRICS, "{}")).items()},
            tags={name: value for name, value in tags.items() if not name.startswith(OURS)},
            champion=record.version == champion,
        )


def _changes(records: Iterable[Record]) -> list[Change]:
    """Return the changes of all versions, in no order."""
    return [change for record in records for change in record.history]
