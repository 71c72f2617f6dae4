"""What is known of a group's versions, in one object, so that a thousand are read in few requests.

The index decides nothing. It repeats what a model package, its document and its changes say, none
of which Basketwise ever changes; whoever writes to the registry writes it too. What it lacks is
read where it is stored, and a change whose ETag is another is read anew. Only that a version has
been deleted in SageMaker could not be told without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from basketwise.aws.registry.document import Document
from basketwise.aws.registry.packages import ID, Package
from basketwise.aws.s3 import Bucket

INDEX = "index.json"
FORMAT = 1
INDEX_BYTES = 256_000_000
"""A longer one was not written by Basketwise."""


@dataclass
class Index:
    """Packages by id, and texts of changes by key, each with the ETag of its object."""

    packages: dict[str, Package] = field(default_factory=dict)
    changes: dict[str, tuple[str, str]] = field(default_factory=dict)


def read_index(bucket: Bucket, key: str) -> Index:
    """Read an index; one that is missing or damaged is empty."""
    data = bucket.get(key, INDEX_BYTES)
    with suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
        body = json.loads(data or b"{}")
        if body["format"] == FORMAT:
            packages = [_package(values) for values in body["packages"]]
            if not all(ID.fullmatch(package.id) for package in packages):
                return Index()
            changes = {
                str(name): (str(etag), str(text)) for name, (etag, text) in body["changes"].items()
            }
            return Index({package.id: package for package in packages}, changes)
    return Index()


def write_index(bucket: Bucket, key: str, index: Index) -> None:
    """Write an index."""
    body = {
        "format": FORMAT,
        "packages": [
            asdict(package)
            | {
                "created": package.created.isoformat(),
                "document": asdict(package.document)
                | {"at": package.document.at.isoformat() if package.document.at else None},
            }
            for package in index.packages.values()
        ],
        "changes": index.changes,
    }
    bucket.put(key, json.dumps(body, ensure_ascii=False).encode(), "application/json")


def _package(values: Mapping[str, Any]) -> Package:
    submitted = values["document"]
    document = Document(
        **submitted
        | {
            "at": datetime.fromisoformat(submitted["at"]) if submitted["at"] else None,
            "metrics": {str(name): float(value) for name, value in submitted["metrics"].items()},
        }
    )
    created = datetime.fromisoformat(values["created"]).astimezone(UTC)
    return Package(**dict(values) | {"created": created, "document": document})
