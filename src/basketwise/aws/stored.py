"""How much a workspace in a bucket stores, old versions of its objects included."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from basketwise.aws.errors import translated
from basketwise.aws.s3 import Bucket
from basketwise.errors import DependencyError

REQUESTS = 10
"""Requests at most, of 1,000 versions of objects each: an estimate is not worth more."""


class Stored(NamedTuple):
    """Bytes of the counted versions of objects, and whether those are all there are."""

    size: int
    complete: bool


def stored(bucket: Bucket) -> Stored | None:
    """Add up the objects below a bucket's prefix; None if they may not be listed."""
    start = f"{bucket.prefix}/" if bucket.prefix else ""
    listing = bucket.client.get_paginator("list_object_versions")
    size, more = 0, False
    try:
        with translated(f"list the versions of {bucket.location}"):
            for page in islice(listing.paginate(Bucket=bucket.name, Prefix=start), REQUESTS):
                size += sum(item["Size"] for item in page.get("Versions", []))
                more = page["IsTruncated"]
    except DependencyError:
        # Permission is missing, or the service of a stand-in: an estimate stops no run.
        return None
    return Stored(size, not more)
