"""Opening a workspace in a bucket, and downloading raw files from one."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path

from basketwise.aws import clients
from basketwise.aws.address import Address, workspace_address
from basketwise.aws.s3 import Bucket, S3Object, is_folder
from basketwise.aws.storage.mirror import Mirror, cache_folder
from basketwise.aws.storage.storage import S3Storage, retry_if_changed
from basketwise.config import AwsConfig
from basketwise.errors import DependencyError, InputError


def open_storage(location: str, config: AwsConfig) -> S3Storage:
    """Open a workspace; see :func:`basketwise.storage.opening.open_storage`."""
    address = workspace_address(location)
    cache = _cache(config, address.bucket, address.key)
    return S3Storage(clients.client("s3", config), address.bucket, address.key, cache=cache)


def local_copy(data: str, config: AwsConfig) -> str:
    """Download raw files; see :func:`basketwise.storage.opening.local_copy`."""
    address, pattern = Address.parse(data), ""
    bucket, key = address.bucket, address.key
    if glob.has_magic(key):
        key, _, pattern = key.rpartition("/")
    if not bucket or not key:
        raise InputError(
            f"{data!r} names no files.", "Give s3://bucket/folder, with the raw files below it."
        )
    source, mirror = Bucket(clients.client("s3", config), bucket), Mirror(_cache(config, bucket))

    def files() -> dict[str, S3Object]:
        # List only below the folder: the permission may be limited to it.
        listed = source.listed(f"{key}/") or source.below(key)
        return {name: item for name, item in listed.items() if not is_folder(name)}

    path = retry_if_changed(data, lambda: mirror.fetch(key, files(), source.fetch))
    if not path.exists():
        raise DependencyError(
            f"No raw files found: {data!r} contains none.",
            "Upload them, for example: aws s3 sync FOLDER s3://bucket/folder",
        )
    return str(path / pattern) if pattern else str(path)


def _cache(config: AwsConfig, *parts: str) -> Path:
    name = "\n".join((config.endpoint_url, *parts))
    return cache_folder() / hashlib.sha256(name.encode()).hexdigest()[:20]
