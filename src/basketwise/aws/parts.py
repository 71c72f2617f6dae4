"""Uploads and copies in parts: the object exists once all are complete."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basketwise.aws.parallel import CancelledTaskError, check_cancelled, is_cancelled

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def upload_in_parts(client: S3Client, path: Path, target: tuple[str, str], part: int) -> None:
    """Upload a file to a bucket and key with boto3, in this thread, in parts of so many bytes."""
    from concurrent.futures import CancelledError

    from boto3.s3.transfer import TransferConfig, create_transfer_manager

    config = TransferConfig(
        part, multipart_chunksize=part, use_threads=False, preferred_transfer_client="classic"
    )
    options: Any = {
        "extra_args": {"ChecksumAlgorithm": "SHA256"},
        "subscribers": [_Canceller()],
    }
    with create_transfer_manager(client, config) as manager:
        try:
            manager.upload(str(path), *target, **options).result()
        except CancelledError:
            raise CancelledTaskError from None


def copy_in_parts(
    client: S3Client,
    origin: Mapping[str, Any],
    target: Mapping[str, Any],
    condition: Mapping[str, str],
    size: int,
    part: int,
) -> str:
    """Copy an object in parts, and return the ETag of the copy.

    boto3's own copy cannot make the completion conditional.

    Parameters
    ----------
    client
        A boto3 client of S3.
    origin : mapping of str to str or mapping
        ``CopySource`` and its conditions, which hold for each part.
    target : mapping of str to str
        ``Bucket`` and ``Key`` of the copy.
    condition : mapping of str to str
        What must hold of the object that is replaced, when the copy is complete.
    size, part : int
        Bytes of the object, and of each part.
    """
    head = client.head_object(**origin["CopySource"])
    settings: Any = {"ContentType": head["ContentType"], "Metadata": head["Metadata"]}
    upload: Any = dict(target)
    upload["UploadId"] = client.create_multipart_upload(
        **upload, **settings, ChecksumAlgorithm="SHA256"
    )["UploadId"]
    try:
        parts: list[Any] = []
        for number, start in enumerate(range(0, size, part), 1):
            check_cancelled()
            span = f"bytes={start}-{min(start + part, size) - 1}"
            result = client.upload_part_copy(
                **origin, **upload, PartNumber=number, CopySourceRange=span
            )["CopyPartResult"]
            names = [name for name in ("ETag", "ChecksumSHA256") if name in result]
            parts.append({"PartNumber": number, **{name: result[name] for name in names}})
        done: Any = {"MultipartUpload": {"Parts": parts}, **condition}
        return client.complete_multipart_upload(**upload, **done)["ETag"]
    except BaseException:
        with suppress(Exception):
            client.abort_multipart_upload(**upload)
        raise


class _Canceller:
    """Cancels a transfer after its current part, if its task is cancelled."""

    def on_progress(self, future: Any, **_: object) -> None:
        """Cancel the transfer if its task is cancelled; boto3 cleans up."""
        if is_cancelled():
            future.cancel()
