"""Files between a folder and a bucket, as SageMaker carries them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def parts(uri: str) -> tuple[str, str]:
    """Return bucket and key prefix of an S3 URI."""
    split = urlsplit(uri)
    assert split.scheme == "s3", uri
    return split.netloc, split.path.strip("/")


def download(s3: Any, uri: str, folder: Path) -> int:
    """Bring all objects below a prefix into a folder; returns how many there were."""
    bucket, prefix = parts(uri)
    result = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            rest = entry["Key"][len(prefix) :]
            if rest and not rest.startswith("/"):
                continue
            target = folder / (rest.strip("/") or Path(entry["Key"]).name)
            target.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, entry["Key"], str(target))
            result += 1
    return result


def upload(s3: Any, folder: Path, uri: str, sent: dict[Path, float] | None = None) -> None:
    """Bring all files of a folder below a prefix; what is half-written (.tmp) is left out.

    ``sent`` holds the time of the last change of what was brought before, and is kept up.
    """
    bucket, prefix = parts(uri)
    known = {} if sent is None else sent
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix == ".tmp":
            continue
        changed = path.stat().st_mtime
        if known.get(path) != changed:
            key = "/".join((prefix, path.relative_to(folder).as_posix())).strip("/")
            s3.upload_file(str(path), bucket, key)
            known[path] = changed
