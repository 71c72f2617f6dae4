"""The code that a job in AWS's image installs first: the lock, Basketwise, and two scripts.

They have fixed keys below ``code/``. S3 replaces an object whole, so a job that starts while newer
code is sent finds each of them old or new, never in pieces and never twice.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from basketwise.artifact.bundle import REQUIREMENTS
from basketwise.artifact.wheel import NAME, write_wheel
from basketwise.aws.clients import translated
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.entry import CODE, RUN, RUN_SCRIPT, TRAIN_SCRIPT, train_script
from basketwise.aws.requests.training import CODE_MOUNT
from basketwise.aws.sending.upload import upload
from basketwise.progress import Tick

LOCK = "requirements.lock"
"""File of the package ``basketwise.aws.container``: for the Python of AWS's image, with hashes."""

ALWAYS = "0"
"""The version that the wheel gives itself here, whatever Basketwise's is: so its name stays. Under
another name there would be, for a moment, two wheels or none, and a job that starts then fails."""


def lock_for_jobs() -> str:
    """Return the requirements of a job, every line held to hashes."""
    return (files("basketwise.aws.container") / LOCK).read_text(encoding="utf-8")


def send_code(s3: Any, names: AwsNames, tick: Tick) -> None:
    """Bring the running code to ``code/``; what is there with the same content stays.

    Wheels of Basketwise under any other name go first: a job installs whatever wheel lies there.

    Parameters
    ----------
    s3 : boto3 client
        Of S3.
    names : AwsNames
        Bucket and prefix.
    tick : callable
        Told (what, done, in all).

    Raises
    ------
    DependencyError
        If S3 refuses, or cannot be reached.
    """
    with TemporaryDirectory(prefix="basketwise-") as scratch:
        folder = Path(scratch)
        (folder / REQUIREMENTS).write_text(lock_for_jobs(), encoding="utf-8")
        (folder / RUN_SCRIPT).write_text(RUN, encoding="utf-8")
        (folder / TRAIN_SCRIPT).write_text(train_script(CODE_MOUNT), encoding="utf-8")
        wheel = write_wheel(folder, ALWAYS)
        _remove_other_wheels(s3, names, wheel.name)
        # The wheel last: new libraries rarely disturb old code, new code may need new libraries.
        before = [folder / name for name in (REQUIREMENTS, RUN_SCRIPT, TRAIN_SCRIPT)]
        for paths in (before, [wheel]):
            upload(s3, names.bucket, {names.key(CODE, path.name): path for path in paths}, tick)


def _remove_other_wheels(s3: Any, names: AwsNames, own: str) -> None:
    prefix = names.key(CODE, f"{NAME}-")
    with translated(f"list s3://{names.bucket}/{prefix}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=names.bucket, Prefix=prefix)
        found = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    for key in found:
        if key.endswith(".whl") and key != names.key(CODE, own):
            with translated(f"remove s3://{names.bucket}/{key}"):
                s3.delete_object(Bucket=names.bucket, Key=key)
