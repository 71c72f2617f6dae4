"""The registry on SageMaker Model Registry: a model package group, one package per version.

A version is described by its document, and each change of its state is one more object in the
bucket::

    model-registry/<group>/submissions/<id>/metrics.json         the document, then the attachments
    model-registry/<group>/changes/<version>-<created>/<time>-<id>.json

A version exists once its package is created; files without a package are left over from failed
registrations. The package's approval status follows from the changes, for tools that deploy by
it; a status that was set by others counts as a change (:mod:`basketwise.aws.registry.ledger`).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from basketwise.aws import clients
from basketwise.aws.errors import translated
from basketwise.aws.names import AwsNames, names_of
from basketwise.aws.registry import calls as sagemaker_calls
from basketwise.aws.registry import ledger as sagemaker_ledger
from basketwise.aws.registry.document import Document, document_bytes, package_facts, read_document
from basketwise.aws.registry.ledger import Entry
from basketwise.aws.registry.objects import Documents, archive_removed
from basketwise.aws.registry.records import Record, changes_of, record_of, version_of
from basketwise.aws.requests.model_package import package, package_group
from basketwise.config import Config
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
CREATED_FORMAT = "%Y%m%dT%H%M%S"
WORKERS = 8
"""Versions described at the same time; SageMaker throttles many more requests."""


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

    def load(self) -> None:
        """Do nothing: nothing heavy is needed here."""

    def prepare(self) -> None:
        """Do nothing: registering needs no preparation here."""

    def register(self, submission: Submission, *, who: str) -> ModelVersion:
        """Store a new version; it exists only once all its files are stored.

        With ``aws.archive = "self-contained"`` its archive carries the libraries too, and so has
        another digest than the submission's.
        """
        check_files(submission)
        if self._config.aws.archive == "slim":
            return self._register(submission, who)
        from basketwise.aws.self_contained import with_libraries

        with scratch() as folder:
            return self._register(with_libraries(submission, folder), who)

    def _register(self, submission: Submission, who: str) -> ModelVersion:
        if not sagemaker_calls.group_exists(self._sagemaker, self._names.group):
            sagemaker_calls.create_group(self._sagemaker, package_group(self._names))
        at = ledger.next_moment(changes_of(self._records()))
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
            self_contained=self._config.aws.archive == "self-contained",
        )
        request = package(self._names, self._config, facts)
        arn = sagemaker_calls.create_package(self._sagemaker, request)
        # It may take a moment until SageMaker lists the new version.
        return version_of(self._records(arn), arn.rpartition("/")[2], self._names.group)

    def get(self, version: str) -> ModelVersion:
        """Return one version."""
        return version_of(self._records(), version, self._names.group)

    def versions(self) -> list[ModelVersion]:
        """Return all versions, newest first."""
        records = self._records()
        return [version_of(records, record.version, self._names.group) for record in records]

    def champion(self) -> ModelVersion | None:
        """Return the champion, or ``None``."""
        return next((version for version in self.versions() if version.champion), None)

    def set_state(self, version: str, state: ApprovalState, *, who: str, why: str) -> ModelVersion:
        """Add a change to a version's history, then set what SageMaker shows.

        Changes made in SageMaker are stored first, and statuses that an interrupted process did
        not set are set too.
        """
        records = self._records()
        record = record_of(records, version, self._names.group)
        key = self._documents.key_of(record.model_data_url)
        if state is ApprovalState.APPROVED and key and self._documents.bucket.digest(key) is None:
            raise archive_removed(record.model_data_url)
        for other in records:
            if other.unrecorded:
                self._store(other, sagemaker_ledger.entry_of(other.unrecorded, other.approval))
        change = Change(
            at=ledger.next_moment(changes_of(records)),
            version=version,
            old=ledger.state_after(record.history),
            new=state,
            who=who,
            why=why,
        )
        self._store(record, sagemaker_ledger.entry_of(change, record.approval))
        records = self._records()
        for other in records:
            last = other.entries[-1]
            is_shown = other.version != version and other.approval.status == last.change.new
            if not (is_shown or other.unrecorded) and last.name:
                comment = sagemaker_ledger.comment_of(last)
                sagemaker_calls.set_status(self._sagemaker, other.arn, last.change.new, comment)
        return version_of(records, version, self._names.group)

    def history(self, version: str | None = None) -> list[Change]:
        """Return the changes of one version, or of all, oldest first."""
        records = self._records()
        if version is not None:
            return record_of(records, version, self._names.group).history
        return sorted(changes_of(records), key=lambda change: (change.at, int(change.version)))

    def fetch(self, version: str, folder: Path) -> Path:
        """Fetch a version's ``model.tar.gz`` into ``folder``, checked against its digest."""
        record = record_of(self._records(), version, self._names.group)
        key = self._documents.key_of(record.model_data_url)
        if not record.document.sha256 or key is None:
            raise ArchiveError(
                f"Version {version} of {self._names.group} has no sha256, or no archive in "
                f"{self._names.bucket}: it was not registered by Basketwise.",
                "Use another version, or register the model with Basketwise.",
            )
        with scratch_in(folder) as scratch:
            archive = self._documents.fetch(key, Path(scratch) / ARCHIVE)
            return accept(archive, folder, version=version, expected=record.document.sha256)

    def _store(self, record: Record, entry: Entry) -> None:
        key = f"{record.changes}{entry.name}.json"
        self._documents.write(key, sagemaker_ledger.entry_bytes(entry))

    def _records(self, *known: str) -> list[Record]:
        """Return all versions, newest first; ``known`` are ARNs that may not be listed yet."""
        records = self._read(*known)
        # A change that was stored during the read can look as if it was made in SageMaker.
        return self._read(*known) if any(record.unrecorded for record in records) else records

    def _read(self, *known: str) -> list[Record]:
        listed = sagemaker_calls.package_arns(self._sagemaker, self._names.group)
        arns = sorted({*listed, *known}, key=lambda arn: int(arn.rpartition("/")[2]), reverse=True)
        if not arns:
            return []
        with ThreadPoolExecutor(WORKERS) as pool:
            describe = partial(sagemaker_calls.describe, self._sagemaker)
            packages = list(pool.map(describe, arns))
            # Listed after the statuses were read, so that each finds the entry that it names.
            keys = sorted(self._documents.bucket.listed(f"{self._folder}/changes/"))
            return list(pool.map(lambda package: self._record(package, keys), packages))

    def _record(self, described: Mapping[str, Any], keys: list[str]) -> Record:
        arn: str = described["ModelPackageArn"]
        version = arn.rpartition("/")[2]
        created = described["CreationTime"].astimezone(UTC)
        # A group that was removed and created again numbers its versions from 1 again.
        prefix = f"{self._folder}/changes/{version}-{created:{CREATED_FORMAT}}/"
        key = self._documents.key_of(sagemaker_calls.metrics_url(described))
        document = Document()
        if key is not None:
            document = read_document(self._documents.read(key), self._documents.bucket.uri(key))
        first = sagemaker_ledger.registration(
            version, document.at or created, document.who or sagemaker_ledger.SAGEMAKER
        )
        model_data_url, image_uri = sagemaker_calls.archive_and_image(described)
        return Record(
            version=version,
            arn=arn,
            model_data_url=model_data_url,
            image_uri=image_uri,
            description=described.get("ModelPackageDescription", ""),
            approval=sagemaker_calls.approval_of(described),
            document=document,
            changes=prefix,
            entries=(first, *(self._entry(version, key) for key in keys if key.startswith(prefix))),
        )

    def _entry(self, version: str, key: str) -> Entry:
        name = key.rpartition("/")[2].removesuffix(".json")
        return sagemaker_ledger.read_entry(version, name, self._documents.read(key))


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
