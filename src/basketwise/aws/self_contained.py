"""A model archive that carries its libraries, so that AWS's image starts without a package index.

At every start AWS's toolkit copies ``code`` elsewhere, and there runs ``pip install .``, with
``-r requirements.txt`` if there is one. A self-contained archive has the libraries instead, and a
build backend, which pip calls for the folder itself: it unpacks them beside the handlers, which
import them from there. pip installs the handlers alone. All of that is in ``code``, which scoring
never reads: the model is the same.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from basketwise.artifact.archive import pack, read_json, unpack, write_manifest
from basketwise.artifact.bundle import INFERENCE, REQUIREMENTS, SCRIPT
from basketwise.aws.container import build_backend
from basketwise.aws.libraries import download, merge_wheels, needed
from basketwise.deploy.library import library_of, lock_text
from basketwise.digests import sha256
from basketwise.files import ARCHIVE, CODE, MANIFEST
from basketwise.registry.protocol import Submission
from basketwise.scratch import scratch

PYPROJECT = "pyproject.toml"
PROJECT = """\
[build-system]
requires = []
build-backend = "build_backend"
backend-path = ["."]
"""

BACKEND = "build_backend.py"


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
        with scratch() as wheels:
            download(lock, wheels)
            merge_wheels(
                [*wheels.glob("*.whl"), *code.glob("basketwise-*.whl")], code / build_backend.PACKED
            )
        # The toolkit would have pip install it too: resolve, copy and uninstall for ten seconds.
        (code / REQUIREMENTS).unlink(missing_ok=True)
        # An archive that an earlier version packed has handlers that look for no libraries.
        (code / INFERENCE).write_text(SCRIPT, encoding="utf-8")
        (code / PYPROJECT).write_text(PROJECT, encoding="utf-8")
        shutil.copyfile(build_backend.__file__, code / BACKEND)
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
