"""Raw files that lie in a bucket, for whoever reads local files."""

from __future__ import annotations

import glob
import hashlib

from basketwise.config import AwsConfig
from basketwise.errors import DependencyError, InputError
from basketwise.storage.opening import SCHEME


def local_copy(data: str, config: AwsConfig) -> str:
    """Bring raw files to this machine, if they lie in a bucket.

    Parameters
    ----------
    data : str
        A path, which is given back; or ``s3://bucket/key`` of a file, a folder, or files by a
        pattern in its last part.
    config : AwsConfig
        Region and address of S3.

    Returns
    -------
    str
        A path or a pattern. What was brought before and has not changed is not brought again.

    Raises
    ------
    InputError
        If it is no address of files.
    DependencyError
        If nothing lies there, S3 refuses, or boto3 is not installed.
    """
    if not data.startswith(SCHEME):
        return data
    from basketwise.aws.clients import client
    from basketwise.aws.storage.mirror import Mirror, cache_folder
    from basketwise.aws.storage.objects import Bucket, Found
    from basketwise.aws.storage.storage import unchanged

    bucket, _, key = data.removeprefix(SCHEME).partition("/")
    key, pattern = key.strip("/"), ""
    if glob.has_magic(key):
        key, _, pattern = key.rpartition("/")
    if not bucket or not key:
        raise InputError(
            f"{data!r} names no files.", "Give s3://bucket/folder, with the raw files below it."
        )
    place = hashlib.sha256(f"{config.endpoint_url}\n{bucket}".encode()).hexdigest()[:20]
    there, mirror = Bucket(client("s3", config), bucket, ""), Mirror(cache_folder() / place)

    def files() -> dict[str, Found]:
        # No more is asked for than may be allowed: to list what lies below the folder.
        found = there.listed(f"{key}/") or there.below(key)
        return {name: one for name, one in found.items() if not name.endswith("/")}

    path = unchanged(data, lambda: mirror.bring(key, files(), there.fetch))
    if not path.exists():
        raise DependencyError(
            f"No raw files found: {data!r} holds none.",
            "Upload them, for example: aws s3 sync FOLDER s3://bucket/folder",
        )
    return str(path / pattern) if pattern else str(path)
