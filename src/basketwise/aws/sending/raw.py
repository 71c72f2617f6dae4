"""Raw files in the bucket of the jobs: where a run finds them, and what names their content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from basketwise.aws.address import Address, is_address
from basketwise.aws.errors import HINTS, NO_BUCKET, ask, no_object
from basketwise.aws.names import AwsNames
from basketwise.aws.s3 import Bucket
from basketwise.aws.sending.upload import upload
from basketwise.errors import DependencyError, InputError
from basketwise.etl.sources import SUFFIXES, discover
from basketwise.progress import Tick

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RAW = "raw"
SHOWN = 3


def inputs_in_bucket(s3: S3Client, names: AwsNames, data: str) -> dict[str, str]:
    """Return what names the content of each raw file below an address.

    Parameters
    ----------
    s3 : boto3 client
        Of S3.
    names : AwsNames
        Names the bucket; jobs may read no other.
    data : str
        ``s3://bucket/folder``; its files count, not those of folders in it.

    Returns
    -------
    dict of str to str
        By file name: the sha256 that it was uploaded with; where Basketwise did not upload it, the
        ETag, which changes with the content too.

    Raises
    ------
    InputError
        If it is another bucket.
    DependencyError
        If it holds no raw files, or S3 refuses.
    """
    address = Address.parse(data)
    if address.bucket != names.bucket:
        raise InputError(
            f"{data!r} is in another bucket than the workspace, which jobs may not read.",
            f"Copy the files to {names.uri(RAW)}, or give them from this machine.",
        )
    prefix = f"{address.key}/" if address.key else ""
    bucket = Bucket(s3, names.bucket)
    files = _files(bucket, prefix)
    if not files:
        raise DependencyError(
            f"No raw files found: {data!r} contains none.",
            f"Upload files ending in {', '.join(SUFFIXES)}, or give --data a local folder.",
        )
    return {name: bucket.digest(prefix + name) or etag for name, etag in files.items()}


def send_raw(s3: S3Client, names: AwsNames, data: str, tick: Tick) -> str:
    """Bring local raw files to ``raw/`` of the workspace.

    Parameters
    ----------
    s3, names
        The client of S3; bucket and prefix.
    data : str
        A file, a folder or a glob; an address in the bucket is left as it is.
    tick : callable
        Told of progress.

    Returns
    -------
    str
        S3 URI that a job is to read, with a slash at its end; empty for ``raw/``.

    Raises
    ------
    InputError
        If two files have one name, or ``raw/`` holds other files that would be read with them.
        What a job does not read, like ``_SUCCESS`` or ``README``, may lie there.
    """
    if is_address(data):
        uri = f"{data.rstrip('/')}/"
        return "" if uri == names.uri(RAW) else uri
    paths = list(dict.fromkeys(source.path for source in discover(data)))
    files: dict[str, Path] = {}
    for path in paths:
        if path.name in files:
            raise InputError(
                f"Two of the raw files are called {path.name!r}.", "Give each a name of its own."
            )
        files[path.name] = path
    workspace = Bucket(s3, names.bucket, names.prefix)
    others = sorted(_files(workspace, f"{RAW}/").keys() - files.keys())
    if others:
        shown = ", ".join(others[:SHOWN]) + (", …" if len(others) > SHOWN else "")
        raise InputError(
            f"{names.uri(RAW)} contains {len(others)} files that are not in {data!r}: {shown}",
            "A job reads every file there. Remove them, choose another --workspace, or use all of "
            f"them: --data {names.uri(RAW)}",
        )
    upload(workspace, {f"{RAW}/{name}": path for name, path in files.items()}, tick)
    return ""


def require_bucket(s3: S3Client, names: AwsNames) -> None:
    """Refuse a bucket that jobs cannot read from; a server that names no region is accepted.

    boto3 finds a bucket in any region, and SageMaker refuses another region only when a job is
    started.

    Raises
    ------
    DependencyError
        If the bucket does not exist, is in another region, or may not be read.
    """
    answer = ask(
        f"look at s3://{names.bucket}", lambda: s3.head_bucket(Bucket=names.bucket), no_object
    )
    if answer is None:
        # An answer without a body: S3 says no more than 404.
        raise DependencyError(f"There is no bucket {names.bucket}.", HINTS[NO_BUCKET])
    region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", "")
    if region and region != names.region:
        raise DependencyError(
            f"The bucket {names.bucket} is in {region}, the jobs would run in {names.region}.",
            f"Set aws.region to {region}, or choose a bucket in {names.region}.",
        )


def _files(bucket: Bucket, prefix: str) -> dict[str, str]:
    """Return the ETags of the raw files right below a prefix, by name."""
    objects = bucket.listed(prefix).values()
    etags = {one.key.removeprefix(prefix): one.etag.strip('"') for one in objects}
    return {name: etag for name, etag in etags.items() if _is_raw(name)}


def _is_raw(name: str) -> bool:
    """Whether a job would read it; see :func:`basketwise.etl.sources.discover`."""
    return name.lower().endswith(SUFFIXES) and "/" not in name and not name.startswith(".")
