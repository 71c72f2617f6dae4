"""Opening the storage that a location names."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from basketwise.config import AwsConfig
from basketwise.errors import ConfigError, InputError
from basketwise.storage.local import LocalStorage
from basketwise.storage.protocol import Storage

SCHEME = "s3://"
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def open_storage(location: str, config: AwsConfig) -> Storage:
    """Open the storage at a path or an ``s3://bucket/prefix``; nothing is read or written yet.

    Parameters
    ----------
    location : str
        Path of a local folder, or address of a prefix of a bucket.
    config : AwsConfig
        Region and address of the services; used for a bucket only.

    Raises
    ------
    ConfigError
        For a location of another kind, or a bucket or prefix that cannot be.
    InputError
        If something that is no folder lies there.
    DependencyError
        If boto3 is not installed.
    """
    if not location.startswith(SCHEME):
        return _in_folder(location)
    from basketwise.aws.clients import client
    from basketwise.aws.storage.adoption import OWN
    from basketwise.aws.storage.mirror import cache_folder
    from basketwise.aws.storage.storage import S3Storage

    bucket, _, prefix = location.removeprefix(SCHEME).partition("/")
    prefix = prefix.strip("/")
    parts = prefix.split("/") if prefix else []
    if not NAME.fullmatch(bucket) or any(part in ("", ".", "..", OWN) for part in parts):
        raise ConfigError(
            f"The workspace {location!r} is no address of a bucket.",
            "Give s3://bucket or s3://bucket/prefix; names of buckets have 3 to 63 small letters, "
            "digits, dots and dashes.",
        )
    place = hashlib.sha256(f"{config.endpoint_url}\n{bucket}\n{prefix}".encode()).hexdigest()[:20]
    return S3Storage(client("s3", config), bucket, prefix, cache=cache_folder() / place)


def _in_folder(location: str) -> LocalStorage:
    if "://" in location:
        raise ConfigError(
            f"The workspace {location!r} is of a kind that is not supported.",
            "Give a local folder, or s3://bucket/prefix.",
        )
    root = Path(location).expanduser()
    if root.exists() and not root.is_dir():
        raise InputError(f"{location!r} is a file, not a folder.", "Give a folder as --workspace.")
    return LocalStorage(root)
