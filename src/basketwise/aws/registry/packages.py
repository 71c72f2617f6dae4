"""Model packages: what SageMaker and its document say of a version, and nothing changes later."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from basketwise.aws.registry import calls
from basketwise.aws.registry.document import METADATA, Document, read_document
from basketwise.aws.registry.objects import Documents, read_whole
from basketwise.errors import DependencyError

CREATED_FORMAT = "%Y%m%dT%H%M%S"
ID = re.compile(r"([1-9]\d{0,8})-(\d{8}T\d{6})")


@dataclass(frozen=True)
class Package:
    """A version's model package and document: what does not change.

    Attributes
    ----------
    workspace
        Address of the workspace that registered it; empty if not known.
    creator
        Who registered it, as SageMaker says; empty if not known.
    """

    version: str
    created: datetime
    arn: str = ""
    model_data_url: str = ""
    image_uri: str | None = None
    description: str = ""
    workspace: str = ""
    creator: str = ""
    document: Document = field(default_factory=Document)

    @property
    def id(self) -> str:
        """What tells it from one that had its number before the group was created again."""
        return f"{self.version}-{self.created:{CREATED_FORMAT}}"


def package_of_id(text: str) -> Package | None:
    """Return a package of which only the id is known; None if the text is none.

    Examples
    --------
    >>> package_of_id("3-20261127T140413").version
    '3'
    """
    match = ID.fullmatch(text)
    with suppress(ValueError):
        if match:
            created = datetime.strptime(match[2], CREATED_FORMAT).replace(tzinfo=UTC)
            return Package(match[1], created)
    return None


def package_of(described: Mapping[str, Any]) -> Package:
    """Return a described version, without its document."""
    model_data_url, image_uri = calls.archive_and_image(described)
    listed = calls.listed(described)
    return Package(
        version=listed.version,
        created=listed.created,
        arn=listed.arn,
        model_data_url=model_data_url,
        image_uri=image_uri,
        description=described.get("ModelPackageDescription", ""),
        workspace=_metadata(described).get("workspace", ""),
        creator=calls.user_of(described.get("CreatedBy")),
    )


def package_with_document(documents: Documents, described: Mapping[str, Any]) -> Package:
    """Return a described version, with the document that it names.

    Raises DependencyError if a document in the workspace's bucket is missing or damaged. That of
    another workspace, in another bucket, is left out if it cannot be read.
    """
    package, uri = package_of(described), calls.metrics_url(described)
    located = documents.located(uri)
    if located:
        document = read_document(documents.read(located[1]), uri)
    elif documents.is_foreign(package.workspace):
        document = _foreign_document(documents, uri, package.workspace, described)
    else:
        document = Document()
    return replace(package, document=document)


def _foreign_document(
    documents: Documents, uri: str, workspace: str, described: Mapping[str, Any]
) -> Document:
    """Return the document of a version of another workspace, or what its package says."""
    located = documents.located(uri, workspace)
    # That bucket may be closed to this user; and what is damaged there is not ours to mend.
    with suppress(DependencyError):
        if located:
            return read_document(read_whole(*located), uri)
    metadata = _metadata(described)
    return Document(
        run_id=metadata.get("model_version", ""),
        sha256=metadata.get("model_sha256", ""),
        tags={tag: metadata[name] for name, tag in METADATA.items() if name in metadata},
    )


def _metadata(described: Mapping[str, Any]) -> Mapping[str, str]:
    return described.get("CustomerMetadataProperties") or {}
