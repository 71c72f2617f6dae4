"""A model archive that carries its libraries, so that AWS's image starts without a package index.

At every start AWS's toolkit copies ``code`` elsewhere, and there runs
``pip install . -r requirements.txt``. A self-contained archive has the wheels beside the
requirements, which forbid an index. The folder itself is installed too: by default that takes
setuptools from an index, so it brings a build backend of its own. All of that is in ``code``, which
scoring never reads: the model is the same.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from basketwise.artifact.archive import pack, read_json, unpack, write_manifest
from basketwise.artifact.bundle import REQUIREMENTS
from basketwise.deploy.library import library_of, lock_text
from basketwise.digests import sha256
from basketwise.errors import DependencyError
from basketwise.files import ARCHIVE, CODE, MANIFEST
from basketwise.registry.protocol import Submission
from basketwise.scratch import scratch

PYTHON = "3.12"
"""Of AWS's image, see :data:`basketwise.aws.images.TAG`."""

PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(28, 16, -1)),
    "manylinux2014_x86_64",
)
"""Tags of the wheels that run there; pip adds no older ones by itself."""

SERVER = frozenset({"anyio", "click", "h11", "idna", "prometheus-client", "starlette", "uvicorn"})
"""What only Basketwise's own server imports: AWS's image has another, which needs its versions."""

OFFLINE = "--no-index\n--find-links .\n"
"""pip resolves the folder against that of the requirements, and AWS's toolkit runs it there."""

PYPROJECT = "pyproject.toml"
PROJECT = """\
[build-system]
requires = []
build-backend = "build_backend"
backend-path = ["."]
"""

BACKEND = "build_backend.py"
BUILD = '''\
"""Builds the wheel of this folder (PEP 517); pip installs it at every start."""

import zipfile
from pathlib import Path

STEM = "basketwise_inference-1"
ABOUT = {
    "METADATA": "Metadata-Version: 2.1\\nName: basketwise-inference\\nVersion: 1\\n",
    "WHEEL": "Wheel-Version: 1.0\\nGenerator: basketwise\\nRoot-Is-Purelib: true\\n"
    "Tag: py3-none-any\\n",
}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Write the wheel: the handlers, and beside them the wheel that they import."""
    here = Path(__file__).resolve().parent
    paths = [here / "inference.py", *sorted(here.glob("basketwise-*.whl"))]
    files = {path.name: path.read_bytes() for path in paths}
    files |= {f"{STEM}.dist-info/{name}": text.encode() for name, text in ABOUT.items()}
    record = f"{STEM}.dist-info/RECORD"
    files[record] = "".join(f"{name},,\\n" for name in [*files, record]).encode()
    name = f"{STEM}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w") as wheel:
        for file, content in files.items():
            wheel.writestr(file, content)
    return name
'''


def with_libraries(submission: Submission, folder: Path) -> Submission:
    """Return a submission of the same model whose archive, in ``folder``, is self-contained.

    Raises
    ------
    InputError
        If the archive cannot be used, or needs other libraries than Basketwise pins.
    DependencyError
        If the wheels cannot be downloaded.
    """
    archive = folder / ARCHIVE
    write_self_contained(submission.model_archive, archive)
    return replace(submission, model_archive=archive, sha256=sha256(archive))


def write_self_contained(archive: Path, target: Path) -> None:
    """Write an archive anew with the wheels that its model needs on top of AWS's image.

    The same archive and the same lock give the same bytes.

    Raises
    ------
    InputError
        If the archive cannot be used, or needs other libraries than Basketwise pins.
    DependencyError
        If the wheels cannot be downloaded.
    """
    lock = needed(lock_text(library_of(archive)))
    with scratch() as folder:
        manifest = unpack(archive, folder)
        code = folder / CODE
        download(lock, code)
        (code / REQUIREMENTS).write_text(OFFLINE + _pins(lock), encoding="utf-8")
        (code / PYPROJECT).write_text(PROJECT, encoding="utf-8")
        (code / BACKEND).write_text(BUILD, encoding="utf-8")
        # Both are written anew, for the files that there are now.
        write_manifest(
            folder, {k: v for k, v in manifest.items() if k not in ("files", "format_version")}
        )
        pack(folder, target)


def is_self_contained(archive: Path) -> bool:
    """Whether AWS's image can install an archive's libraries without a package index.

    Raises
    ------
    InputError
        If the archive cannot be read.
    """
    return f"{CODE}/{BACKEND}" in read_json(archive, MANIFEST).get("files", {})


def needed(lock: str) -> str:
    """Return a lock without what only Basketwise's own server imports."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    return "".join(block for block in blocks if block.partition("==")[0] not in SERVER)


def _pins(lock: str) -> str:
    """Return the requirements of a lock without their hashes, one a line.

    pip would want hashes of the folder too, which it installs in the same call. Those of the wheels
    were compared when they were downloaded, and their digests are in the manifest.
    """
    lines = re.findall(r"^([A-Za-z0-9][^\\\n]*)", lock, re.MULTILINE)
    return "".join(f"{line.strip()}\n" for line in lines)


def download(lock: str, folder: Path) -> None:
    """Download the wheels of a lock for AWS's image, compared with their hashes, into a folder.

    pip's own settings say from which index.

    Raises
    ------
    DependencyError
        If pip is not installed, reaches no index, finds no such wheel, or one with other hashes.
    """
    if importlib.util.find_spec("pip") is None:
        raise DependencyError(
            'aws.archive = "self-contained" needs pip, which is not installed.',
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
            f"The model's libraries cannot be downloaded as wheels for Python {PYTHON} on Linux "
            f"x86-64: {reason.rstrip('.')}.",
            "Let pip reach an index that has them (PIP_INDEX_URL, or pip's configuration), or set "
            'aws.archive = "slim": an endpoint then needs an index at every start.',
        )
