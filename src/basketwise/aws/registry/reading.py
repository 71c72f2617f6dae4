"""Reading the versions of a group: what SageMaker lists, and for what is new or changed, the rest.

A list says the status of each version but not who set it. So only versions that are not in the
index, and those whose status is not that of their last change, are described; and only changes that
are not in the index are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from basketwise import clock
from basketwise.aws.errors import Meaning, meaning_of
from basketwise.aws.parallel import results_of
from basketwise.aws.registry import calls
from basketwise.aws.registry import ledger as sagemaker_ledger
from basketwise.aws.registry.calls import Listed
from basketwise.aws.registry.index import INDEX, Index, read_index, write_index
from basketwise.aws.registry.ledger import Approval, Entry
from basketwise.aws.registry.objects import Documents
from basketwise.aws.registry.packages import (
    Package,
    package_of,
    package_of_id,
    package_with_document,
)
from basketwise.aws.registry.records import Record, Records
from basketwise.errors import DependencyError
from basketwise.registry.protocol import ApprovalState

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

LISTING_DELAY = timedelta(hours=1)
"""A version that is younger may not be listed yet: it is described before it counts as deleted."""


@dataclass
class Reader:
    """Reads a group's versions; what never changes is read once.

    Attributes
    ----------
    folder
        Key of the group's folder in the bucket.
    """

    sagemaker: SageMakerClient
    documents: Documents
    group: str
    folder: str
    _is_new: bool = field(default=False, init=False)
    _latest: Records | None = field(default=None, init=False)
    _has_bucket: bool = field(default=True, init=False)

    @cached_property
    def _index(self) -> Index:
        try:
            return read_index(self.documents.bucket, f"{self.folder}/{INDEX}")
        except DependencyError as error:
            if meaning_of(error) is not Meaning.NO_BUCKET:
                raise
            self._has_bucket = False
            return Index()

    @property
    def changes(self) -> str:
        """Prefix of the keys of all changes."""
        return f"{self.folder}/changes/"

    def read(self, *known: str) -> Records:
        """Return all versions; ``known`` are ARNs that may not be listed yet."""
        records = self._read(known)
        if any(r.unrecorded for r in records.present):
            # A change that was stored during the read can look as if it was made elsewhere.
            records = self._read(known)
        self._latest = records
        return records

    def latest(self) -> Records:
        """Return all versions as they were read last, for what may miss the latest changes."""
        return self._latest or self.read()

    def described(self, version: str) -> Package | None:
        """Return a version of the index as SageMaker describes it now, without reading the others.

        None if it is not in the index, or SageMaker does not have it any more.
        """
        for known in self._index.packages.values():
            if known.version == version and known.arn:
                now = self._now(known)
                if now and now[0].id == known.id:
                    return now[0]
        return None

    def refreshed(self, record: Record) -> tuple[Record, Approval] | None:
        """Return a version as SageMaker describes it now; None if it was deleted meanwhile."""
        now = self._now(record.package)
        if now is None:
            return None
        package, described = now
        if package != record.package and package.id == record.package.id:
            # Somebody changed where its archive is.
            self._add(package)
        approval = calls.approval_of(described)
        record = replace(record, package=package, approval=approval, status=approval.status)
        return record, approval

    def _now(self, known: Package) -> tuple[Package, Mapping[str, Any]] | None:
        """Return a version, and SageMaker's description of it, as both are now; None if deleted."""
        described = calls.describe(self.sagemaker, known.arn)
        if described is None:
            return None
        return replace(package_of(described), document=known.document), described

    def write(self) -> None:
        """Write what was read, so that it need not be read again; if there is anything new."""
        if self._is_new:
            write_index(self.documents.bucket, f"{self.folder}/{INDEX}", self._index)
            self._is_new = False

    def _read(self, known: Iterable[str]) -> Records:
        found = {package.arn: package for package in self._listed(known)}
        described = self._describe(
            package.arn
            for package in found.values()
            if _id(package) not in self._index.packages or package.status is None
        )
        present = self._present(found, described)
        if not present and not self._has_bucket:
            # Nobody has provisioned yet.
            return Records([], [])
        # Listed after the statuses were read, so that each finds the entry that it names.
        entries = self._entries()
        histories = {id_: self._history(self._index.packages[id_], entries) for id_ in present}
        changed = [
            listed.arn
            for id_, listed in present.items()
            if listed.arn not in described and listed.status != histories[id_][-1].change.new
        ]
        approvals = {
            arn: calls.approval_of(package)
            for arn, package in (described | self._describe(changed)).items()
        }
        records = [
            self._record(
                self._index.packages[id_], listed, approvals.get(listed.arn), histories[id_]
            )
            for id_, listed in present.items()
        ]
        records.sort(key=lambda record: int(record.version), reverse=True)
        return Records(records, self._deleted(present, entries))

    def _listed(self, known: Iterable[str]) -> list[Listed]:
        """List the versions, with those that a list may lack for a moment."""
        found = calls.listed_packages(self.sagemaker, self.group)
        arns = {package.arn for package in found}
        recent = (
            package.arn
            for package in self._index.packages.values()
            if package.arn and clock.now() - package.created < LISTING_DELAY
        )
        missing = self._describe({*known, *recent} - arns)
        return [*found, *(calls.listed(package) for package in missing.values())]

    def _describe(self, arns: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """Describe versions by ARN, without those that do not exist."""
        wanted = sorted(arns)
        answers = results_of(partial(calls.describe, self.sagemaker), wanted)
        return {arn: answer for arn, answer in zip(wanted, answers, strict=True) if answer}

    def _present(
        self, found: Mapping[str, Listed], described: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Listed]:
        """Return the listed versions by id, and see that the index has the package of each."""
        current = [
            calls.listed(described[arn]) if arn in described else package
            for arn, package in found.items()
            # Without a description: deleted since it was listed.
            if arn in described or _id(package) in self._index.packages
        ]
        unknown = [
            described[package.arn]
            for package in current
            if _id(package) not in self._index.packages
        ]
        for made in results_of(partial(package_with_document, self.documents), unknown):
            self._add(made)
        return {_id(package): package for package in current}

    def _record(
        self, package: Package, listed: Listed, approval: Approval | None, history: list[Entry]
    ) -> Record:
        status = approval.status if approval else listed.status or ApprovalState.PENDING
        return Record(
            package,
            status,
            approval,
            tuple(history),
            is_foreign=self.documents.is_foreign(package.workspace),
        )

    def _deleted(
        self, present: Mapping[str, Listed], entries: Mapping[str, list[Entry]]
    ) -> list[Record]:
        """Return the versions that the index or a change names and SageMaker does not list."""
        named = {id_: package for id_ in entries if (package := package_of_id(id_))}
        gone = {id_: p for id_, p in (named | self._index.packages).items() if id_ not in present}
        later = {listed.version: listed.created for listed in present.values()}
        records = []
        for package in sorted(gone.values(), key=lambda package: package.created):
            # Before its number was given again, in a group that was created again.
            at = min(clock.now(), later.get(package.version, clock.now()) - timedelta(seconds=1))
            records.append(
                Record(
                    package,
                    ApprovalState.REJECTED,
                    None,
                    tuple(self._history(package, entries)),
                    deleted=at,
                    is_foreign=self.documents.is_foreign(package.workspace),
                )
            )
        return records

    def _history(self, package: Package, entries: Mapping[str, list[Entry]]) -> list[Entry]:
        document, elsewhere = package.document, ""
        if self.documents.is_foreign(package.workspace):
            elsewhere = package.workspace
        elif not document.at:
            elsewhere = sagemaker_ledger.SAGEMAKER
        first = sagemaker_ledger.registration(
            package.version,
            document.at or package.created,
            document.who or package.creator or sagemaker_ledger.SOMEBODY,
            elsewhere,
        )
        return [first, *entries.get(package.id, [])]

    def _entries(self) -> dict[str, list[Entry]]:
        """Return the stored changes by a version's id, oldest first."""
        stored = self.documents.bucket.listed(self.changes)
        known = self._index.changes
        new = [key for key, listed in stored.items() if known.get(key, ("",))[0] != listed.etag]
        for key, data in zip(new, results_of(self.documents.read, new), strict=True):
            known[key] = (stored[key].etag, data.decode(errors="replace"))
            self._is_new = True
        entries: defaultdict[str, list[Entry]] = defaultdict(list)
        for key in sorted(stored):
            id_, _, name = key.removeprefix(self.changes).partition("/")
            version = id_.partition("-")[0]
            name = name.removesuffix(".json")
            entry = sagemaker_ledger.read_entry(version, name, known[key][1].encode())
            entries[id_].append(entry)
        return dict(entries)

    def _add(self, package: Package) -> None:
        self._index.packages[package.id] = package
        self._is_new = True


def _id(listed: Listed) -> str:
    return Package(listed.version, listed.created).id
