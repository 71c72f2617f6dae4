"""The libraries of jobs that reach no package index, as wheels below ``code/wheels/``.

They are downloaded where a command runs, and uploaded once for each lock: a list beside them, which
is written last, says which lock they are of.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from basketwise.aws.libraries import download
from basketwise.aws.requests.controls import WHEELS
from basketwise.aws.requests.entry import CODE
from basketwise.aws.uploads.upload import upload
from basketwise.progress import Tick
from basketwise.scratch import scratch

if TYPE_CHECKING:
    from basketwise.aws.s3 import Bucket

LIST = f"{CODE}/{WHEELS}.json"
FOLDER = f"{CODE}/{WHEELS}/"

MAX_LIST = 1 << 20
"""Bytes of the list that are read."""

SETTING = (
    "aws.network_isolation = true",
    'set aws.image = "own", whose image has them',
)


class Wheels(BaseModel, frozen=True):
    """The list: the sha256 of a lock, and the keys of its wheels."""

    lock: str
    wheels: frozenset[str]


def upload_wheels(bucket: Bucket, lock: str, tick: Tick) -> None:
    """Upload the wheels of a lock, unless they are there; those of other locks are removed.

    A job finds every wheel of the lock, or, while the lock changes, more than these.

    Raises
    ------
    DependencyError
        If the wheels cannot be downloaded, or S3 refuses.
    """
    digest = hashlib.sha256(lock.encode()).hexdigest()
    stored = _stored(bucket)
    if stored and stored.lock == digest and stored.wheels <= bucket.listed(FOLDER).keys():
        return
    with scratch() as folder:
        download(lock, folder, SETTING)
        files = {f"{FOLDER}{path.name}": path for path in sorted(folder.glob("*.whl"))}
        upload(bucket, files, tick)
    document = Wheels(lock=digest, wheels=frozenset(files))
    bucket.put(LIST, document.model_dump_json().encode(), "application/json")


def remove_other_wheels(bucket: Bucket) -> None:
    """Remove the wheels that the list does not name, once jobs install by the lock it is of."""
    stored = _stored(bucket)
    if stored:
        bucket.remove(key for key in bucket.listed(FOLDER) if key not in stored.wheels)


def _stored(bucket: Bucket) -> Wheels | None:
    """Return the list; None if there is none, or it is not one."""
    listed = bucket.get(LIST, MAX_LIST)
    try:
        return Wheels.model_validate_json(listed) if listed else None
    except ValidationError:
        return None
