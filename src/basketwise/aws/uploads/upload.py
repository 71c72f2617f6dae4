"""Upload of local files with checksums; files that exist already are skipped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from basketwise.aws.parallel import check_cancelled, for_each
from basketwise.aws.s3 import Bucket
from basketwise.aws.sizes import MEGABYTE
from basketwise.aws.uploads.multipart import PART, reading, upload_parts
from basketwise.progress import Tick

BLOCK = 1 << 20


def upload(bucket: Bucket, files: Mapping[str, Path], tick: Tick) -> set[str]:
    """Upload files to their keys, unless their content exists already; return the uploaded keys.

    An interrupted upload continues with the first file, and of a large file with the first part,
    that is missing. After Ctrl-C the current parts are completed. Raises InputError if a file
    cannot be read, or changes during the upload.
    """
    sizes = {}
    for key, path in files.items():
        with reading(path):
            sizes[key] = path.stat().st_size
    total = max(sum(sizes.values()) // MEGABYTE, 1)
    transferred, uploaded, lock = 0, set[str](), Lock()

    def add_progress(count: int) -> None:
        nonlocal transferred
        with lock:
            transferred += count
            tick("uploading, MB", min(max(transferred // MEGABYTE, 1), total), total)

    def upload_one(key: str) -> None:
        path, is_large, body = files[key], sizes[key] > PART, b""
        with reading(path):
            if not is_large:
                # Read once, so that the digest is that of the uploaded bytes.
                body = path.read_bytes()
            digest = _digest(path) if is_large else hashlib.sha256(body).hexdigest()
        if bucket.digest(key) == digest:
            add_progress(sizes[key])
            return
        if is_large:
            upload_parts(bucket, key, path, digest, add_progress)
        else:
            bucket.put(key, body)
            add_progress(sizes[key])
        with lock:
            uploaded.add(key)

    for_each(upload_one, files)
    tick("uploading, MB", total, total)
    return uploaded


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            check_cancelled()
    return digest.hexdigest()
