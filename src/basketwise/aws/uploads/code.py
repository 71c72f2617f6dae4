"""The code that a job in AWS's image installs first: the lock, Basketwise, and a script.

They have fixed keys below ``code/``. S3 replaces an object atomically, so a job that starts during
an upload finds each of them either old or new, never partial and never twice.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from basketwise.artifact.bundle import REQUIREMENTS
from basketwise.artifact.wheel import NAME, write_wheel
from basketwise.aws.names import AwsNames
from basketwise.aws.requests import spark
from basketwise.aws.requests.entry import CODE, RUN, RUN_SCRIPT
from basketwise.aws.s3 import Bucket
from basketwise.aws.uploads.upload import upload
from basketwise.aws.uploads.wheels import remove_other_wheels, upload_wheels
from basketwise.config import AwsConfig
from basketwise.progress import Tick
from basketwise.scratch import scratch

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOCK = "requirements.lock"
"""File of the package ``basketwise.aws.container``: for the Python of AWS's image, with hashes."""

SPARK_LOCK = "spark.lock"
"""The same for AWS's Spark image."""

WHEEL_VERSION = "0"
"""In the name of the wheel, whatever Basketwise's version is, so that the name never changes. With
another name there would be, for a moment, two wheels or none, and a job that starts then fails."""


def lock_for_jobs() -> str:
    """Return the requirements of a job, every line with hashes."""
    return (files("basketwise.aws.container") / LOCK).read_text(encoding="utf-8")


def lock_for_spark() -> str:
    """Return the requirements of ETL on Spark, every line with hashes; pyspark is the image's."""
    return (files("basketwise.aws.container") / SPARK_LOCK).read_text(encoding="utf-8")


def upload_code(s3: S3Client, names: AwsNames, config: AwsConfig, tick: Tick) -> None:
    """Upload the running code to ``code/``; files with the same content are skipped.

    Wheels of Basketwise with other names are removed first: a job installs every wheel there. The
    libraries themselves are uploaded too where jobs reach no package index.
    """
    with scratch() as folder:
        scripts = {REQUIREMENTS: lock_for_jobs(), RUN_SCRIPT: RUN}
        if config.etl == "spark":
            scripts |= {
                spark.SPARK_LOCK: lock_for_spark(),
                spark.SPARK_SCRIPT: spark.RUN,
                spark.DRIVER_SCRIPT: spark.DRIVER,
            }
        for name, text in scripts.items():
            (folder / name).write_text(text, encoding="utf-8")
        wheel = write_wheel(folder, WHEEL_VERSION)
        bucket = Bucket(s3, names.bucket, names.prefix)
        wheels = [key for key in bucket.listed(f"{CODE}/{NAME}-") if key.endswith(".whl")]
        bucket.remove(key for key in wheels if key != f"{CODE}/{wheel.name}")
        # The wheel last: old code rarely breaks with new libraries, new code may need them.
        if config.brings_wheels:
            upload_wheels(bucket, scripts[REQUIREMENTS], tick)
        dependencies = [folder / name for name in scripts]
        for paths in (dependencies, [wheel]):
            upload(bucket, {f"{CODE}/{path.name}": path for path in paths}, tick)
        if config.brings_wheels:
            remove_other_wheels(bucket)
