"""Replacing many objects at once: a two-phase commit that a sleeper cannot disturb.

S3 writes a single object atomically, but cannot replace many at once. A replacement does it in
three steps, all by the holder of the lock:

1. all files are staged below ``.basketwise/incoming/<id>/``: uploaded, or copied if the bucket has
   their bytes already; a failure here changes nothing;
2. one write of the lock object commits the replacement, if the lock is still ours. From this
   request on, the new files are the current ones: a storage reads them where they are staged;
3. they are copied to their keys within the bucket, any other objects there are deleted, then the
   lock object is written again, then the staged files are deleted.

If a process ends during the third step, the next holder finishes it. Programs that read the bucket
without a storage may see old and new files side by side during the third step.

A process may sleep before any request, wake up when others have published since, and send it then.
So every request of the third step needs something that others take away before they publish: a
copy needs its source, whose key is used once, and the deletion of an object needs its ETag. The
ETag of a file comes back when the same bytes do, so the file is first overwritten with a tombstone:
a copy of a staged object whose bytes are unique, and the ETag of those bytes is what the deletion
needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from basketwise.aws.parallel import for_each, results_of
from basketwise.aws.s3 import COPY_IN_PARTS, Bucket, ChangedError, S3Object, is_below, is_folder
from basketwise.aws.storage.lock import Lease, read_state
from basketwise.aws.storage.record import INCOMING, MAX_BYTES, Replacement, parse_replacement
from basketwise.errors import DependencyError, WorkspaceError
from basketwise.storage.scheme import OWN

FORMER = f"{OWN}/adopting"
"""Where earlier versions stored what they had committed, one object each."""

ATTEMPTS = 3


def commit(
    bucket: Bucket,
    lease: Lease,
    prefix: str,
    files: Mapping[Path, str],
    existing: Mapping[str, S3Object],
    others: Iterable[str] = (),
) -> None:
    """Stage files, then commit them as the current ones.

    Parameters
    ----------
    bucket, prefix : Bucket, str
        Key in the workspace whose files are replaced.
    lease : Lease
        The workspace's lock, without a pending replacement.
    files : mapping of Path to str
        The key of each file; without files, all objects are deleted.
    existing : mapping of str to S3Object
        The objects that have these bytes already, as they were listed.
    others : iterable of str
        Of a removal: further keys below which all objects are deleted.

    Raises
    ------
    ChangedError
        If one of ``existing`` was overwritten since it was listed; nothing was changed.
    WorkspaceError
        If the lock was taken.
    DependencyError
        If S3 refuses; nothing was changed, unless the response to the last request is lost.
    """
    replacement = Replacement(uuid4().hex, prefix, len(files), tuple(others))

    def stage(path: Path) -> None:
        key = files[path]
        if key in existing:
            bucket.copy(existing[key], replacement.staged(key))
        else:
            bucket.upload(path, replacement.staged(key))

    try:
        for_each(stage, files)
    except BaseException:
        with suppress(DependencyError):
            bucket.remove(bucket.below(replacement.root))
        raise
    # After an error they are not removed: they may be committed, and another run rely on them.
    lease.commit(replacement)


def finish(bucket: Bucket, lease: Lease) -> None:
    """Finish the pending replacement, if there is one.

    Raises WorkspaceError if the lock was taken (its new holder finishes the replacement), or if
    somebody has deleted staged files; then the replacement is given up, and the next run
    publishes all files anew.
    """
    replacement = lease.pending()
    if replacement is None:
        return
    for _ in range(ATTEMPTS):
        listed = bucket.listed(replacement.root)
        # Without its tombstones, a holder before us cannot overwrite anything any more.
        tombstones = [key for key in listed if is_below(key, _tombstones(replacement))]
        _sweep(bucket, lease, tombstones)
        staged = _by_final_key(replacement, listed)
        if len(staged) != replacement.files:
            lease.complete()
            raise _missing(bucket, replacement.prefix)
        old = {key for below in results_of(bucket.below, replacement.prefixes) for key in below}
        # A copy in parts whose last response was lost looks like one that came too late.
        with suppress(ChangedError):
            _place(bucket, lease, replacement, staged, old - staged.keys())
            lease.complete()
            bucket.remove(item.key for item in staged.values())
            return
    raise WorkspaceError(
        f"New files for {replacement.prefix} in {bucket.location!r} change as they are copied.",
        "Make sure that nobody else writes there. The next command goes on with it.",
    )


def publish_file(bucket: Bucket, lease: Lease, key: str, stage: Callable[[str], object]) -> None:
    """Write a single object, which takes no commit: ``stage`` uploads it to the key it is given.

    Raises as :func:`commit` does.
    """
    staged = f"{INCOMING}/{uuid4().hex}"
    try:
        stage(staged)
        # Staged while the lock was ours, it can be copied until the next holder removes it.
        lease.renew()
        bucket.copy(S3Object(staged, 0, ""), key)
    except ChangedError:
        lease.renew()
        raise _missing(bucket, key) from None
    finally:
        with suppress(DependencyError):
            bucket.remove([staged])


def recover(bucket: Bucket, lease: Lease) -> None:
    """Finish what was committed, and remove staged files that never were.

    All staged files belong to runs that have ended or have lost the lock. Raises WorkspaceError,
    once, if the lock could not be read and so may have contained a replacement of which staged
    files are left.
    """
    finish(bucket, lease)
    for key in sorted(bucket.below(FORMER)):
        former = _former(bucket, key)
        if former and len(bucket.below(former.root)) == former.files:
            lease.commit(former)
            finish(bucket, lease)
        bucket.remove([key])
    leftovers = bucket.below(INCOMING)
    _sweep(bucket, lease, leftovers, bucket.uploads(INCOMING))
    if lease.follows_damage and leftovers:
        raise WorkspaceError(
            f"The lock of {bucket.location!r} was overwritten by another program.",
            "A publication that it interrupted is lost, and files may be old and new side by side. "
            "Run the command again: it publishes what is not as it should be.",
        )


def current_files(bucket: Bucket, prefix: str) -> dict[str, S3Object]:
    """List a key and all below it, with the files of a committed replacement in place.

    Raises ChangedError if anything was published meanwhile.
    """
    state, files = read_state(bucket), bucket.below(prefix)
    pending = state.pending
    if pending and pending.touches(prefix):
        kept = {key: item for key, item in files.items() if not pending.covers(key)}
        files = kept | _by_final_key(pending, bucket.below(pending.root))
    if read_state(bucket) != state:
        raise ChangedError
    # Some programs create empty objects that end with a slash, to mark folders.
    return {
        key: item for key, item in files.items() if is_below(key, prefix) and not is_folder(key)
    }


def current_folders(bucket: Bucket, prefix: str) -> list[str]:
    """List the names directly below a prefix that keys are below, as :func:`current_files` would.

    The keys themselves are only listed while they are replaced. Raises ChangedError if anything was
    published meanwhile.
    """
    state, names = read_state(bucket), bucket.folders(prefix)
    if state.pending and state.pending.touches(prefix):
        start = len(f"{prefix}/")
        below = (key[start:] for key in current_files(bucket, prefix))
        return sorted({name.partition("/")[0] for name in below if "/" in name})
    if read_state(bucket) != state:
        raise ChangedError
    return sorted(names)


def _place(
    bucket: Bucket,
    lease: Lease,
    replacement: Replacement,
    staged: Mapping[str, S3Object],
    removed: Collection[str],
) -> None:
    """Copy staged files to their keys, and delete the objects at others."""
    large = {key for key, item in staged.items() if item.size > COPY_IN_PARTS}
    etags: dict[str, str] = {}

    def place(key: str) -> None:
        bucket.copy(staged[key], key, etags.get(key, ""))

    for_each(place, sorted(staged.keys() - large))
    if not removed and not large:
        return
    tombstone = S3Object(f"{_tombstones(replacement)}/{uuid4().hex}", 0, "")
    bucket.put(tombstone.key, f"Removed by Basketwise: {tombstone.key}\n".encode())
    # Only now is it sure that whoever takes the lock will see the tombstone, and remove it.
    lease.renew()

    def bury(key: str) -> None:
        etags[key] = bucket.copy(tombstone, key)

    for_each(bury, sorted({*removed, *large}))
    # A copy in parts reads its source long before it writes. So it may overwrite nothing but the
    # tombstone.
    for_each(place, sorted(large))
    bucket.remove([tombstone.key])
    bucket.remove(removed, etags)


def _sweep(
    bucket: Bucket, lease: Lease, keys: Collection[str], uploads: Mapping[str, str] | None = None
) -> None:
    """Delete staged objects of holders before us, and abort their uploads."""
    if keys or uploads:
        # Still ours after they were listed: so none of them is of a holder after us.
        lease.renew()
        bucket.remove(keys)
        bucket.abort(uploads or {})


def _tombstones(replacement: Replacement) -> str:
    """Return the key below which those who finish a replacement stage tombstones."""
    return f"{replacement.root}.tombstones"


def _by_final_key(replacement: Replacement, staged: Mapping[str, S3Object]) -> dict[str, S3Object]:
    root = replacement.root
    return {
        replacement.prefix + key.removeprefix(root): item
        for key, item in staged.items()
        if is_below(key, root)
    }


def _missing(bucket: Bucket, key: str) -> WorkspaceError:
    return WorkspaceError(
        f"New files for {key} are missing from {bucket.location!r}.",
        f"Somebody deleted objects below {OWN}/. Run the command again: it publishes them anew.",
    )


def _former(bucket: Bucket, key: str) -> Replacement | None:
    """Read what an earlier version has committed; None if it cannot be read."""
    try:
        body = json.loads(bucket.get(key, MAX_BYTES) or b"")
        return parse_replacement({**body, "id": key.rpartition("/")[2]})
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        return None
