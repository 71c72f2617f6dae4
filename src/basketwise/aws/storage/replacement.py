"""Replacing many objects at once: a two-phase commit.

S3 writes one object whole or not at all, but cannot replace many at once. A replacement
does it in three steps:

1. all files are sent to ``.basketwise/incoming/<id>/``, or copied there if the bucket has their
   bytes already; a failure here changes nothing;
2. one small object, ``.basketwise/adopting/<id>``, names the prefix. From this request on, the new
   files are the current ones: whoever reads through a storage is led to them;
3. they are copied to their keys within the bucket, any others there are deleted, then the small
   object and the sent files.

A process that ends within the third step leaves it to the next writer to finish. Programs that
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
from basketwise.aws.at_once import each
from basketwise.aws.s3 import Bucket, ChangedError, S3Object, is_below, is_folder
from basketwise.errors import DependencyError, WorkspaceError

INCOMING, REPLACING = f"{OWN}/incoming", f"{OWN}/adopting"


@dataclass(frozen=True)
class Replacement:
    """A replacement of a prefix, by so many sent files, that is decided but not finished."""

    id: str
    prefix: str
    files: int

    def sent(self, key: str) -> str:
        """Return where a file that will be ``key`` is stored until then."""
        return f"{INCOMING}/{self.id}{key.removeprefix(self.prefix)}"

    def touches(self, key: str) -> bool:
        """Whether it replaces a key, or something below it."""
        return is_below(key, self.prefix) or is_below(self.prefix, key)


def pending(bucket: Bucket) -> list[Replacement]:
    """List the replacements that are decided; there is seldom one."""
    decisions = [(key, bucket.get(key)) for key in sorted(bucket.below(REPLACING))]
    return [_parsed(bucket, key, data) for key, data in decisions if data is not None]


def begin(
    bucket: Bucket,
    prefix: str,
    files: Mapping[Path, str],
    here: Mapping[str, S3Object],
    check: Callable[[], None],
) -> Replacement:
    """Send files, then decide that they are the current ones.

    Parameters
    ----------
    bucket, prefix : Bucket, str
        Key in the workspace whose files are replaced.
    files : mapping of Path to str
        The key of each file.
    here : mapping of str to S3Object
        Those keys that contain these bytes already, as they were listed.
    check : Callable[[], None]
        Raises if this process may not write any more.

    Raises
    ------
    ChangedError
        If somebody wrote one of ``here`` since it was listed; nothing has changed by us.
    DependencyError
        If S3 refuses. Unless it is the very last request whose answer is lost, nothing has changed.
    """
    replacement = Replacement(uuid4().hex, prefix, len(files))

    def send(path: Path) -> None:
        key = files[path]
        if key in here:
            bucket.copy(key, replacement.sent(key), here[key].etag)
        else:
            bucket.send(path, replacement.sent(key))

    try:
        each(send, files)
        check()
    except BaseException:
        with suppress(DependencyError):
            bucket.remove(bucket.below(f"{INCOMING}/{replacement.id}"))
        raise
    decision = {"prefix": prefix, "files": len(files)}
    bucket.put(f"{REPLACING}/{replacement.id}", json.dumps(decision).encode())
    return replacement


def finish(bucket: Bucket, replacement: Replacement, check: Callable[[], None]) -> None:
    """Copy the sent files to their keys; may be done again, or by several at once.

    Raises WorkspaceError if sent files are gone, or from ``check``.
    """
    check()
    sent, old = all_sent(bucket, replacement), bucket.below(replacement.prefix)
    try:
        if len(sent) != replacement.files:
            raise ChangedError
        each(lambda key: bucket.copy(sent[key].key, key), sent)
    except ChangedError:
        if replacement not in pending(bucket):
            return  # Another writer has finished it in the meantime.
        raise WorkspaceError(
            f"New files for {replacement.prefix} are gone from {bucket.location!r}.",
            f"Somebody deleted objects below {OWN}/. Delete all of {OWN}/ and run again.",
        ) from None
    check()
    bucket.remove(key for key in old if key not in sent)
    bucket.remove([f"{REPLACING}/{replacement.id}"])
    bucket.remove(listed.key for listed in sent.values())


def recover(bucket: Bucket, check: Callable[[], None]) -> None:
    """Finish what is decided, and remove what was sent and never decided on.

    Only for whoever holds the workspace's lock: all that was sent belongs to runs that have ended.
    """
    for replacement in pending(bucket):
        finish(bucket, replacement, check)
    bucket.remove(bucket.below(INCOMING))
    bucket.abort_parts(INCOMING)


def all_sent(bucket: Bucket, replacement: Replacement) -> dict[str, S3Object]:
    """Find the files that were sent, by the key that each will have."""
    root = f"{INCOMING}/{replacement.id}"
    below = bucket.below(root)
    return {replacement.prefix + key.removeprefix(root): listed for key, listed in below.items()}


def current(bucket: Bucket, prefix: str) -> tuple[list[Replacement], dict[str, S3Object]]:
    """List a key and all below it, with the files of replacements in place of what they replace."""
    decided, files = pending(bucket), bucket.below(prefix)
    for replacement in decided:
        if replacement.touches(prefix):
            for key in [key for key in files if is_below(key, replacement.prefix)]:
                del files[key]
            files |= all_sent(bucket, replacement)
    # Programs make empty objects that end with a slash, to be shown as folders.
    for key in [key for key in files if is_folder(key) or not is_below(key, prefix)]:
        del files[key]
    return decided, files


def _parsed(bucket: Bucket, key: str, data: bytes) -> Replacement:
    try:
        decision = json.loads(data)
        prefix, files = str(decision["prefix"]), int(decision["files"])
    except (ValueError, TypeError, KeyError) as error:
        raise WorkspaceError(
            f"{key} in {bucket.location!r} cannot be read.",
            "It was not written by Basketwise: delete it.",
        ) from error
    return Replacement(key.rpartition("/")[2], prefix, files)
