"""The registry on SageMaker Model Registry: a model package group, one package per version.

A version is described by its document, and each change of its state is one more object in the
bucket::

    model-registry/<group>/submissions/<id>/metrics.json         the document, then the attachments
    model-registry/<group>/changes/<version>-<created>/<time>-<id>.json
    model-registry/<group>/index.json                            what all of them say

A version exists once its package is created; files without a package are left over from failed
registrations. The package's approval status follows from the changes, for tools that deploy by
it; a status that was set by others counts as a change (:mod:`basketwise.aws.registry.ledger`), and
so does the deletion of a package. Other workspaces may register in the same group: each stores the
documents of its versions and the changes that it makes or sees.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from basketwise.aws import clients
from basketwise.aws.errors import Meaning, meaning_of, translated
from basketwise.aws.names import AwsNames, names_of
from basketwise.aws.registry import calls as sagemaker_calls
from basketwise.aws.registry import ledger as sagemaker_ledger
from basketwise.aws.registry.document import document_bytes, package_facts
from basketwise.aws.registry.ledger import Approval, Entry
from basketwise.aws.registry.objects import Documents, archive_removed, fetch
from basketwise.aws.registry.packages import Package
from basketwise.aws.registry.reading import Reader
from basketwise.aws.registry.records import Record, Records, version_of, was_deleted
from basketwise.aws.requests.model_package import package, package_group
from basketwise.aws.s3 import Bucket
from basketwise.config import Config
from basketwise.errors import DependencyError
from basketwise.files import ARCHIVE, METRICS_FILE
from basketwise.registry import ledger
from basketwise.registry.files import accept, check_files, scratch_in
from basketwise.registry.protocol import (
    ApprovalState,
    ArchiveError,
    Change,
    ModelVersion,
    Submission,
)
from basketwise.scratch import scratch

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

# Not registry/: that is a workspace's embedded registry, and is replaced as a whole.
FOLDER = "model-registry"


class SageMakerRegistry:
    """Stores versions in SageMaker Model Registry and in the workspace's bucket."""

    def __init__(
        self, sagemaker: SageMakerClient, s3: S3Client, *, names: AwsNames, config: Config
    ) -> None:
        self._sagemaker = sagemaker
        self._names = names
        self._config = config
        self._documents = Documents(s3, names)
        self._folder = names.key(FOLDER, names.group)
        self._reader = Reader(sagemaker, self._documents, names.group, self._folder)

    def load(self) -> None:
        """Do nothing: nothing heavy is needed here."""

    def prepare(self) -> None:
        """Do nothing: registering needs no preparation here."""

    def register(self, submission: Submission, *, who: str) -> ModelVersion:
        """Store a new version; it exists only once all its files are stored.

        A self-contained archive carries the libraries too, and so has another digest than the
        submission's.
        """
        check_files(submission)
        if not self._config.aws.archives_bring_libraries:
            return self._register(submission, who)
        from basketwise.aws.self_contained import with_libraries

        with scratch() as folder:
            return self._register(with_libraries(submission, folder), who)

    def _register(self, submission: Submission, who: str) -> ModelVersion:
        if not sagemaker_calls.group_exists(self._sagemaker, self._names.group):
            sagemaker_calls.create_group(self._sagemaker, package_group(self._names))
        # Of others' changes, the latest are of this moment anyway.
        at = ledger.next_moment(self._reader.latest().changes())
        arn = self._create(submission, at, who)
        # It may take a moment until SageMaker lists the new version.
        records = self._reader.read(arn)
        self._reader.write()
        record = records.of(arn.rpartition("/")[2], self._names.group)
        return version_of(record, records.champion)

    def _create(self, submission: Submission, at: datetime, who: str) -> str:
        documents, folder = self._documents, f"{self._folder}/submissions/{uuid4().hex}"
        archive = documents.store_archive(
            submission.model_archive, submission.run_id, submission.sha256
        )
        for path in submission.attachments:
            documents.write(f"{folder}/attachments/{path.name}", path)
        documents.write(f"{folder}/{METRICS_FILE}", document_bytes(submission, at=at, who=who))
        facts = package_facts(
            submission,
            model_data_url=documents.bucket.uri(archive),
            metrics_uri=documents.bucket.uri(f"{folder}/{METRICS_FILE}"),
            workspace=documents.workspace,
            self_contained=self._config.aws.archives_bring_libraries,
        )
        request = package(self._names, self._config, facts)
        return sagemaker_calls.create_package(self._sagemaker, request)

    def get(self, version: str) -> ModelVersion:
        """Return one version."""
        records, record, _ = self._described(version)
        return version_of(record, records.champion)

    def versions(self) -> list[ModelVersion]:
        """Return all versions, newest first."""
        records = self._reader.read()
        return [version_of(record, records.champion) for record in records.present]

    def deleted(self) -> list[ModelVersion]:
        """Return the versions that were deleted in SageMaker, in the state that they had."""
        records = self._reader.read().deleted
        return [version_of(record.before_deletion, None) for record in records]

    def champion(self) -> ModelVersion | None:
        """Return the champion, or ``None``."""
        records = self._reader.read()
        if records.champion is None:
            return None
        refreshed = self._reader.refreshed(records.of(records.champion, self._names.group))
        # None if it was deleted this moment.
        return version_of(refreshed[0], records.champion) if refreshed else self.champion()

    def set_state(self, version: str, state: ApprovalState, *, who: str, why: str) -> ModelVersion:
        """Add a change to a version's history, then set what SageMaker shows.

        Changes made elsewhere are stored first, and statuses that an interrupted process did not
        set are set too.
        """
        records, record, approval = self._described(version)
        located = self._archive(record.package)
        if state is ApprovalState.APPROVED and located and _is_missing(*located):
            raise archive_removed(record.package.model_data_url)
        self._store_outside(records)
        if record.unrecorded:
            # Made since the list was read, perhaps; if not, it has the same name.
            self._store(record, record.unrecorded)
        change = Change(
            at=ledger.next_moment(records.changes()),
            version=version,
            old=ledger.state_after(record.history),
            new=state,
            who=who,
            why=why,
        )
        self._store(record, sagemaker_ledger.entry_of(change, approval))
        records = self._reader.read()
        self._show(records, version)
        self._reader.write()
        return version_of(records.of(version, self._names.group), records.champion)

    def history(self, version: str | None = None) -> list[Change]:
        """Return the changes of one version, or of all, oldest first; of deleted ones too."""
        records = self._reader.read()
        if version is not None:
            return records.history(version, self._names.group)
        return records.changes()

    def outside(self) -> list[Change]:
        """Return the changes that were made elsewhere and are not stored yet, oldest first."""
        return self._reader.read().outside()

    def sync(self) -> None:
        """Store the changes that were made elsewhere, and show what is not shown yet."""
        records = self._reader.read()
        if self._store_outside(records):
            records = self._reader.read()
        self._show(records)
        self._reader.write()

    def fetch(self, version: str, folder: Path) -> Path:
        """Fetch a version's ``model.tar.gz`` into ``folder``, checked against its digest."""
        stored = self._reader.described(version) or self._described(version)[1].package
        located, digest = self._archive(stored), stored.document.sha256
        if not digest or located is None:
            raise ArchiveError(
                f"Version {version} of {self._names.group} has no sha256, or no archive in "
                f"{self._names.bucket}: it was not registered by Basketwise.",
                "Use another version, or register the model with Basketwise.",
            )
        with scratch_in(folder) as scratch:
            try:
                archive = fetch(*located, Path(scratch) / ARCHIVE)
            except DependencyError as error:
                is_closed = meaning_of(error) in (Meaning.DENIED, Meaning.NO_BUCKET)
                if is_closed and self._documents.is_foreign(stored.workspace):
                    raise _closed(stored) from error
                raise
            return accept(archive, folder, version=version, expected=digest)

    def _described(self, version: str) -> tuple[Records, Record, Approval]:
        """Return all versions, and the one as SageMaker describes it now."""
        records = self._reader.read()
        refreshed = self._reader.refreshed(records.of(version, self._names.group))
        if refreshed is None:
            raise was_deleted(version, self._names.group)
        return records, *refreshed

    def _archive(self, package: Package) -> tuple[Bucket, str] | None:
        is_foreign = self._documents.is_foreign(package.workspace)
        workspace = package.workspace if is_foreign else ""
        return self._documents.located(package.model_data_url, workspace)

    def _store_outside(self, records: Records) -> bool:
        """Store the changes that were made elsewhere; return whether there were any."""
        changed = [record for record in records.all if record.unrecorded]
        for record in changed:
            if record.unrecorded:
                self._store(record, record.unrecorded)
        return bool(changed)

    def _show(self, records: Records, changed: str = "") -> None:
        """Set the statuses that do not follow from the last entry, and that of ``changed``."""
        for record in records.present:
            last = record.entries[-1]
            is_shown = record.version != changed and record.status == last.change.new
            if not (is_shown or record.unrecorded) and last.name:
                comment = sagemaker_ledger.comment_of(last, self._documents.workspace)
                sagemaker_calls.set_status(
                    self._sagemaker, record.package.arn, last.change.new, comment
                )

    def _store(self, record: Record, entry: Entry) -> None:
        key = f"{self._reader.changes}{record.package.id}/{entry.name}.json"
        self._documents.write(key, sagemaker_ledger.entry_bytes(entry))


def _is_missing(bucket: Bucket, key: str) -> bool:
    return bucket.digest(key) is None


def _closed(package: Package) -> ArchiveError:
    """Return the error for an archive in another workspace's bucket, closed to this user."""
    return ArchiveError(
        f"Version {package.version} is of the workspace {package.workspace}, whose bucket "
        "these credentials may not read.",
        "Use credentials that may (s3:GetObject, s3:ListBucket), or approve a version of this "
        "workspace.",
    )


def open_registry(config: Config, workspace: str) -> SageMakerRegistry:
    """Open the registry of the account whose credentials are used; its files are in a bucket.

    Raises DependencyError if boto3 is not installed, or AWS refuses.
    """
    sagemaker, s3 = clients.client("sagemaker", config.aws), clients.client("s3", config.aws)
    with translated("identify the account"):
        account = clients.client("sts", config.aws).get_caller_identity()["Account"]
    region = sagemaker.meta.region_name
    names = names_of(config, account_id=account, region=region, workspace=workspace)
    return SageMakerRegistry(sagemaker, s3, names=names, config=config)
