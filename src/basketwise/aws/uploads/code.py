"""The code that a job in AWS's image installs first: the lock, Basketwise, and two scripts.

They have fixed keys below ``code/``. S3 replaces an object atomically, so a job that starts during
an upload finds each of them either old or new, never partial and never twice.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from basketwise.artifact.bundle import REQUIREMENTS
from basketwise.artifact.wheel import NAME, write_wheel
from basketwise.aws.names import AwsNames
from basketwise.aws.requests.entry import CODE, RUN, RUN_SCRIPT, TRAIN_SCRIPT, train_script
from basketwise.aws.requests.training import CODE_MOUNT
from basketwise.aws.s3 import Bucket
from basketwise.aws.uploads.upload import upload
from basketwise.progress import Tick
from basketwise.scratch import scratch

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOCK = "requirements.lock"
"""File of the package ``basketwise.aws.container``: for the Python of AWS's image, with hashes."""

WHEEL_VERSION = "0"
"""In the name of the wheel, whatever Basketwise's version is, so that the name never changes. With
another name there would be, for a moment, two wheels or none, and a job that starts then fails."""


def lock_for_jobs() -> str:
    """Return the requirements of a job, every line with hashes."""
    return (files("basketwise.aws.container") / LOCK).read_text(encoding="utf-8")


def upload_code(s3: S3Client, names: AwsNames, tick: Tick) -> None:
    """Upload the running code to ``code/``; files with the same content are skipped.

    Wheels of Basketwise with other names are removed first: a job installs every wheel there.
    """
    with scratch() as folder:
        (folder / REQUIREMENTS).write_text(lock_for_jobs(), encoding="utf-8")
        (folder / RUN_SCRIPT).write_text(RUN, encoding="utf-8")
        (folder / TRAIN_SCRIPT).write_text(train_script(CODE_MOUNT), encoding="utf-8")
        wheel = write_wheel(folder, WHEEL_VERSION)
        bucket = Bucket(s3, names.bucket, names.prefix)
        wheels = [key for key in bucket.listed(f"{CODE}/{NAME}-") if key.endswith(".whl")]
        bucket.remove(key for key in wheels if key != f"{CODE}/{wheel.name}")
        # The wheel last: old code rarely breaks with new libraries, new code may need them.
        dependencies = [folder / name for name in (REQUIREMENTS, RUN_SCRIPT, TRAIN_SCRIPT)]
        for paths in (dependencies, [wheel]):
            upload(bucket, {f"{CODE}/{path.name}": path for path in paths}, tick)
