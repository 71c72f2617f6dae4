"""Raw files in the bucket of the jobs: their digests, and uploading them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from basketwise.aws import skipped
from basketwise.aws.address import Address, is_address
from basketwise.aws.errors import Meaning, call, refusal
from basketwise.aws.names import AwsNames
from basketwise.aws.s3 import Bucket
from basketwise.aws.uploads.upload import upload
from basketwise.errors import DependencyError, InputError
from basketwise.etl.raw.discovery import is_raw, list_files
from basketwise.etl.raw.formats import SUPPORTED
from basketwise.progress import Tick

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RAW = "raw"
MAX_SHOWN = 3


def inputs_in_bucket(s3: S3Client, names: AwsNames, data: str) -> dict[str, str]:
    """Return the digest of each raw file below an address, by its name there.

    That is its sha256 or, if Basketwise did not upload it, its ETag, which changes with the
    content too.

    Raises InputError if it is another bucket than the workspace's, which jobs may not read,
    DependencyError if it contains no raw files, or S3 refuses.
    """
    address = Address.parse(data)
    if address.bucket != names.bucket:
        raise InputError(
            f"{data!r} is in another bucket than the workspace, which jobs may not read.",
            f"Copy the files to {names.uri(RAW)}, or give --data a local path.",
        )
    prefix = f"{address.key}/" if address.key else ""
    bucket = Bucket(s3, names.bucket)
    files = _files(bucket, prefix)
    if not files:
        raise DependencyError(
            f"No raw files found: {data!r} contains none.",
            f"Upload files ending in {SUPPORTED}, or give --data a local folder.",
        )
    return {name: bucket.digest(prefix + name) or etag for name, etag in files.items()}


def upload_raw(s3: S3Client, names: AwsNames, data: str, tick: Tick) -> str:
    """Upload local raw files to ``raw/`` of the workspace; data in the bucket are left as they are.

    The list of files that cannot be read goes there too, see :mod:`basketwise.aws.skipped`.

    Returns
    -------
    str
        S3 URI for the job, with a slash at its end; empty for ``raw/``.

    Raises
    ------
    InputError
        If two files have one name, or ``raw/`` contains other files that would be read with them.
        Files that a job does not read, like ``_SUCCESS`` or ``README``, are allowed.
    """
    if is_address(data):
        uri = f"{data.rstrip('/')}/"
        return "" if uri == names.uri(RAW) else uri
    files: dict[str, Path] = {}
    delivery = list_files(data)
    for name, path in dict.fromkeys((source.file, source.path) for source in delivery.sources):
        if name in files:
            raise InputError(
                f"Two of the raw files are named {name!r}.", "Give each a name of its own."
            )
        files[name] = path
    workspace = Bucket(s3, names.bucket, names.prefix)
    unexpected = sorted(_files(workspace, f"{RAW}/").keys() - files.keys())
    if unexpected:
        shown = ", ".join(unexpected[:MAX_SHOWN]) + (", …" if len(unexpected) > MAX_SHOWN else "")
        raise InputError(
            f"{names.uri(RAW)} contains {len(unexpected)} files that are not in {data!r}: {shown}",
            "A job reads every file there. Remove them, choose another --workspace, or use all of "
            f"them: --data {names.uri(RAW)}",
        )
    upload(workspace, {f"{RAW}/{name}": path for name, path in files.items()}, tick)
    listed = f"{RAW}/{skipped.FILE}"
    # Nobody may delete below raw/: where there is a list of earlier files, it becomes empty.
    if delivery.skipped or workspace.digest(listed) is not None:
        workspace.put(listed, skipped.skipped_document(delivery.skipped), "application/json")
    return ""


def upload_size(data: str) -> int:
    """Return the bytes of local raw files that may have to be uploaded; 0 for an address."""
    if is_address(data):
        return 0
    paths = {source.path for source in list_files(data).sources}
    return sum(path.stat().st_size for path in paths)


def require_bucket(s3: S3Client, names: AwsNames) -> None:
    """Raise DependencyError for a bucket that jobs cannot read from.

    boto3 finds a bucket in any region, and SageMaker refuses another region only when a job is
    started. A server that names no region is accepted.
    """
    answer = call(
        f"read s3://{names.bucket}", lambda: s3.head_bucket(Bucket=names.bucket), Meaning.NO_KEY
    )
    if answer is None:
        # An answer without a body: S3 says no more than 404.
        raise DependencyError(f"There is no bucket {names.bucket}.", refusal("NoSuchBucket").hint)
    region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", "")
    if region and region != names.region:
        raise DependencyError(
            f"The bucket {names.bucket} is in {region}, the jobs would run in {names.region}.",
            f"Set aws.region to {region}, or choose a bucket in {names.region}.",
        )


def _files(bucket: Bucket, prefix: str) -> dict[str, str]:
    """Return the ETags of the files below a prefix that a job would read, by name.

    Those are the ones that :func:`basketwise.etl.raw.discovery.discover` finds.
    """
    etags = {key.removeprefix(prefix): raw.etag for key, raw in bucket.listed(prefix).items()}
    return {name: etag.strip('"') for name, etag in etags.items() if is_raw(name)}
