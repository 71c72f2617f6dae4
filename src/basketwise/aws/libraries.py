"""The libraries that a model needs on top of AWS's image, in one file."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from basketwise.artifact.bundle import REQUIREMENTS
from basketwise.artifact.wheel import EPOCH
from basketwise.errors import DependencyError
from basketwise.scratch import scratch

PYTHON = "3.12"
"""Of AWS's image, see ``aws.image_tag``."""

PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(34, 16, -1)),
    "manylinux2014_x86_64",
)
"""Tags of the wheels that run there; pip adds no older ones by itself."""

SERVER = frozenset({"anyio", "click", "h11", "idna", "prometheus-client", "starlette", "uvicorn"})
"""What only Basketwise's own server imports: AWS's image has another, which needs its versions."""


def needed(lock: str) -> str:
    """Return a lock without what only Basketwise's own server imports."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    return "".join(block for block in blocks if block.partition("==")[0] not in SERVER)


def merge_wheels(wheels: Iterable[Path], target: Path) -> None:
    """Write what installers would extract from wheels as one zip file, in a fixed order.

    Scripts, headers and data are left out. Nothing is compressed: the archive is, and whoever
    fetches it has undone that before a server starts.

    Raises
    ------
    DependencyError
        If a wheel is damaged.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as merged:
        for path in sorted(wheels, key=lambda path: path.name):
            try:
                with zipfile.ZipFile(path) as wheel:
                    for member in wheel.infolist():
                        name = _installed_name(member.filename)
                        if name is not None:
                            info = zipfile.ZipInfo(name, EPOCH)
                            with wheel.open(member) as source, merged.open(info, "w") as out:
                                shutil.copyfileobj(source, out, 2**20)
            except (zipfile.BadZipFile, zlib.error) as error:
                raise DependencyError(
                    f"The wheel {path.name} is damaged: {error}.", "Download it again."
                ) from error


def _installed_name(name: str) -> str | None:
    """Return where an installer puts a wheel's file (PEP 427); None if no module needs it."""
    top, _, rest = name.partition("/")
    if top.endswith(".data"):
        scheme, _, name = rest.partition("/")
        if scheme not in ("purelib", "platlib"):
            return None
    return None if not name or name.endswith("/") else name


SELF_CONTAINED = (
    'aws.archive = "self-contained"',
    'set aws.archive = "slim": an endpoint then needs an index at every start',
)
"""The setting that downloads the libraries of a model, and what can be done instead."""


def download(lock: str, folder: Path, setting: tuple[str, str] = SELF_CONTAINED) -> None:
    """Download the wheels of a lock for AWS's image, compared with their hashes, into a folder.

    pip's own settings say from which index. ``setting`` is what asks for it, and what can be done
    instead, for errors.

    Raises
    ------
    DependencyError
        If pip is not installed, reaches no index, finds no such wheel, or one with other hashes.
    """
    if importlib.util.find_spec("pip") is None:
        raise DependencyError(
            f"{setting[0]} needs pip, which is not installed.",
            f"Install it: {sys.executable} -m ensurepip",
        )
    with scratch() as own:
        requirements = own / REQUIREMENTS
        requirements.write_text(lock, encoding="utf-8")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"),
                *("download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
                *("--implementation", "cp", "--python-version", PYTHON),
                *(option for tag in PLATFORMS for option in ("--platform", tag)),
                *("--dest", str(folder), "--requirement", str(requirements)),
            ],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if done.returncode:
        errors = re.findall(r"^ERROR: (.+)", done.stderr, re.MULTILINE)
        reason = errors[-1] if errors else f"pip ended with status {done.returncode}"
        raise DependencyError(
            f"Libraries cannot be downloaded as wheels for Python {PYTHON} on Linux x86-64: "
            f"{reason.rstrip('.')}.",
            "Let pip reach an index that has them (PIP_INDEX_URL, or pip's configuration), or "
            f"{setting[1]}.",
        )
