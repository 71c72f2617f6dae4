"""Where a result came from: code, libraries, machine, commit."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from typing_extensions import TypedDict

from basketwise import clock
from basketwise.digests import sha256
from basketwise.errors import ConfigError

XGBOOST = "xgboost" if sys.platform == "darwin" else "xgboost-cpu"
"""The distribution that provides XGBoost on this platform, as in ``pyproject.toml``."""

LIBRARIES = (
    "jinja2",
    "matplotlib",
    "narwhals",
    "numpy",
    "polars",
    "scikit-learn",
    "scipy",
    "skops",
    XGBOOST,
    "mlflow-skinny",
)


SOURCES = frozenset({".py", ".html", ".css"})


@cache
def code_hash() -> str:
    """Return the sha256 over Basketwise's own source files: another letter is another code."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted(path for path in package.rglob("*") if path.suffix in SOURCES):
        digest.update(f"{file.relative_to(package).as_posix()}:{sha256(file)}\n".encode())
    return digest.hexdigest()


def timestamp() -> str:
    """Return the time for documents: ISO 8601, UTC, to the second.

    ``SOURCE_DATE_EPOCH`` (seconds since 1970) takes the clock's place where it is set, so that
    even documents which carry a time can be made again byte for byte.

    Raises
    ------
    ConfigError
        If it is a number that is no time.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not epoch.isdecimal():
        return clock.now().isoformat(timespec="seconds")
    try:
        return datetime.fromtimestamp(int(epoch), UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(
            f"The environment variable SOURCE_DATE_EPOCH is {epoch[:40]}, which is no time.",
            "Unset it, or set the seconds since 1970.",
        ) from error


def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that results depend on."""
    return {name: _version(name) for name in LIBRARIES}


@cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


class Host(TypedDict):
    """The machine that ran it."""

    python: str
    platform: str
    cpus: int


def host() -> Host:
    """Return what kind of machine this is; never its name."""
    return Host(
        python=platform.python_version(),
        platform=f"{sys.platform} {platform.machine()}",
        cpus=os.cpu_count() or 1,
    )


def git_commit() -> str | None:
    """Return the commit of the repository that the command was started in, or None."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
