"""Replacing many objects at once: a two-phase commit.

S3 writes a single object atomically, but cannot replace many at once. A replacement does it in
three steps:

1. all files are staged below ``.basketwise/incoming/<id>/``: uploaded, or copied if the bucket has
   their bytes already; a failure here changes nothing;
2. one small object, the manifest ``.basketwise/adopting/<id>``, commits the replacement. From this
   request on, the new files are the current ones: a storage reads them where they are staged;
3. they are copied to their keys within the bucket, any other objects there are deleted, then the
   manifest and the staged files.

If a process ends during the third step, the next writer finishes it. Programs that
read the bucket without a storage may see old and new files side by side during the third step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from basketwise.aws.address import OWN
from basketwise.aws.parallel import for_each
from basketwise.aws.s3 import Bucket, ChangedError, S3Object, is_below, is_folder
from basketwise.errors import DependencyError, WorkspaceError

INCOMING, COMMITTED = f"{OWN}/incoming", f"{OWN}/adopting"


@dataclass(frozen=True)
class Replacement:
    """A committed but unfinished replacement of a prefix by this number of staged files."""

    id: str
    prefix: str
    files: int

    def staged(self, key: str) -> str:
        """Return the key at which the new object of a key is staged."""
        return f"{INCOMING}/{self.id}{key.removeprefix(self.prefix)}"

    def touches(self, key: str) -> bool:
        """Whether it replaces a key or anything below it."""
        return is_below(key, self.prefix) or is_below(self.prefix, key)


def pending(bucket: Bucket) -> list[Replacement]:
    """List the committed replacements; there is rarely one."""
    manifests = [(key, bucket.get(key)) for key in sorted(bucket.below(COMMITTED))]
    return [_parsed(bucket, key, data) for key, data in manifests if data is not None]


def commit(
    bucket: Bucket,
    prefix: str,
    files: Mapping[Path, str],
    existing: Mapping[str, S3Object],
    check: Callable[[], None],
) -> Replacement:
    """Stage files, then commit them as the current ones.

    Parameters
    ----------
    bucket, prefix : Bucket, str
        Key in the workspace whose files are replaced.
    files : mapping of Path to str
        The key of each file.
    existing : mapping of str to S3Object
        The objects that have these bytes already, as they were listed.
    check : Callable[[], None]
        Raises if this process has lost the lock.

    Raises
    ------
    ChangedError
        If one of ``existing`` was overwritten since it was listed; nothing was changed.
    DependencyError
        If S3 refuses; nothing was changed, unless the response to the last request is lost.
    """
    replacement = Replacement(uuid4().hex, prefix, len(files))

    def stage(path: Path) -> None:
        key = files[path]
        if key in existing:
            bucket.copy(key, replacement.staged(key), existing[key].etag)
        else:
            bucket.upload(path, replacement.staged(key))

    try:
        for_each(stage, files)
        check()
    except BaseException:
        with suppress(DependencyError):
            bucket.remove(bucket.below(f"{INCOMING}/{replacement.id}"))
        raise
    manifest = {"prefix": prefix, "files": len(files)}
    bucket.put(f"{COMMITTED}/{replacement.id}", json.dumps(manifest).encode())
    return replacement


def finish(bucket: Bucket, replacement: Replacement, check: Callable[[], None]) -> None:
    """Copy the staged files to their keys; idempotent, and safe for several processes at once.

    Raises WorkspaceError if staged files are missing, or from ``check``.
    """
    check()
    staged, old = staged_files(bucket, replacement), bucket.below(replacement.prefix)
    try:
        if len(staged) != replacement.files:
            raise ChangedError
        for_each(lambda key: bucket.copy(staged[key].key, key), staged)
    except ChangedError:
        if replacement not in pending(bucket):
            return  # Another writer has finished it in the meantime.
        raise WorkspaceError(
            f"New files for {replacement.prefix} are missing from {bucket.location!r}.",
            f"Somebody deleted objects below {OWN}/. Delete all of {OWN}/ and run again.",
        ) from None
    check()
    bucket.remove(key for key in old if key not in staged)
    bucket.remove([f"{COMMITTED}/{replacement.id}"])
    bucket.remove(listed.key for listed in staged.values())


def recover(bucket: Bucket, check: Callable[[], None]) -> None:
    """Finish committed replacements, and remove staged files that were never committed.

    Only with the workspace's lock: then all staged files belong to runs that have ended.
    """
    for replacement in pending(bucket):
        finish(bucket, replacement, check)
    bucket.remove(bucket.below(INCOMING))
    bucket.abort_parts(INCOMING)


def staged_files(bucket: Bucket, replacement: Replacement) -> dict[str, S3Object]:
    """List the staged files of a replacement, by their final keys."""
    root = f"{INCOMING}/{replacement.id}"
    below = bucket.below(root)
    return {replacement.prefix + key.removeprefix(root): listed for key, listed in below.items()}


def current_files(bucket: Bucket, prefix: str) -> tuple[list[Replacement], dict[str, S3Object]]:
    """List a key and all below it, with the files of committed replacements in place."""
    committed, files = pending(bucket), bucket.below(prefix)
    for replacement in committed:
        if replacement.touches(prefix):
            for key in [key for key in files if is_below(key, replacement.prefix)]:
                del files[key]
            files |= staged_files(bucket, replacement)
    # Some programs create empty objects that end with a slash, to mark folders.
    for key in [key for key in files if is_folder(key) or not is_below(key, prefix)]:
        del files[key]
    return committed, files


def _parsed(bucket: Bucket, key: str, data: bytes) -> Replacement:
    try:
        manifest = json.loads(data)
        prefix, files = str(manifest["prefix"]), int(manifest["files"])
    except (ValueError, TypeError, KeyError) as error:
        raise WorkspaceError(
            f"{key} in {bucket.location!r} cannot be read.",
            "It was not written by Basketwise: delete it.",
        ) from error
    return Replacement(key.rpartition("/")[2], prefix, files)
