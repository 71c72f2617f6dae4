"""Finished pieces of a training, stored so that the next start need not make them again.

A process may be killed at any time, so a piece is stored as soon as it is finished. A file that is
damaged, incomplete or of another training counts as absent: it costs time, and never changes a
result. The digest detects damage, not malice; whoever reads a payload must be safe from
what it contains (see :mod:`basketwise.training.persistence`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from basketwise.config import TrainingConfig
from basketwise.digests import sha256
from basketwise.errors import writing
from basketwise.etl.gold.metadata import read_metadata
from basketwise.etl.gold.tables import (
    HIDDEN_FILE,
    REST_FOLDER,
    TEST_FILE,
    TRAIN_FILE,
)
from basketwise.files import DRAFT, write_whole
from basketwise.provenance import code_hash, library_versions

FORMAT = 1
SUFFIX = ".checkpoint"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")

MAX_HEADER = 1_000
MAX_BYTES = 4 * 2**30
"""A larger payload is not stored, and a larger file is not read."""


@dataclass(frozen=True)
class Checkpoints:
    """A folder of finished pieces.

    A file is a header line, which says what it is and the sha256 of the payload, and the
    payload. Several threads may store pieces at the same time.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Checkpoints(Path(folder), "ab12").store("logistic", b"a model")
    ...     Checkpoints(Path(folder), "ab12").load("logistic")
    ...     Checkpoints(Path(folder), "cd34").load("logistic") is None
    b'a model'
    True
    """

    folder: Path | None = None
    """Where the files are. None: nothing is stored, and nothing is there to load."""
    key: str = ""
    """Digest of everything that the pieces depend on, see :func:`training_key`."""

    def prepare(self) -> None:
        """Make the folder, and remove what no piece of this training can come from.

        Files that are not checkpoints stay.
        """
        if self.folder is None:
            return
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in self.folder.glob(f".*{DRAFT}"):
                path.unlink(missing_ok=True)
            for path in self.folder.glob(f"*{SUFFIX}"):
                name = path.name.removesuffix(SUFFIX)
                with path.open("rb") as stream:
                    header = stream.readline(MAX_HEADER)
                if not header.startswith(self._origin(name)):
                    path.unlink(missing_ok=True)

    def load(self, name: str) -> bytes | None:
        """Return a piece's payload; None if there is none that is surely whole."""
        if self.folder is None:
            return None
        try:
            with self._path(name).open("rb") as stream:
                if os.fstat(stream.fileno()).st_size > MAX_BYTES + MAX_HEADER:
                    return None
                header, payload = stream.readline(MAX_HEADER), stream.read()
        except OSError:
            return None
        return payload if header == self._header(name, payload) else None

    def store(self, name: str, payload: bytes) -> None:
        """Write a piece, whole or not at all, replacing an earlier one of its name.

        What is larger than ``MAX_BYTES`` is not stored. A training that cannot write here could go
        on, but its results come to the same disk; it is better to hear of it now.
        """
        if self.folder is None or len(payload) > MAX_BYTES:
            return
        with self._writing():
            write_whole(self._path(name), self._header(name, payload), payload)

    def remove(self, name: str) -> None:
        """Remove a piece that a later one has made needless; it need not be there."""
        if self.folder is not None:
            with self._writing():
                self._path(name).unlink(missing_ok=True)

    def _writing(self) -> AbstractContextManager[None]:
        return writing(
            f"Checkpoints cannot be stored in {str(self.folder)!r}",
            "Free some space, or fix the permissions; checkpoints already stored will be reused.",
        )

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name) or self.folder is None:
            raise ValueError(f"{name!r} is not the name of a piece")
        return self.folder / f"{name}{SUFFIX}"

    def _origin(self, name: str) -> bytes:
        # The name is part of it: one fold's file under another fold's name must not be taken.
        return f"basketwise-checkpoint {FORMAT} {self.key} {name} ".encode()

    def _header(self, name: str, payload: bytes) -> bytes:
        digest = hashlib.sha256(payload).hexdigest()
        return self._origin(name) + f"{len(payload)} {digest}\n".encode()


NOWHERE = Checkpoints()
"""Stores nothing."""


def training_key(gold: Path, config: TrainingConfig) -> str:
    """Return the sha256 of everything that a training's pieces depend on.

    That is the gold files that training reads (absent ones too), which of their columns are
    features, the training settings, Basketwise's code, and the versions of the libraries.
    """
    metadata = read_metadata(gold)
    files = [gold / name for name in (TRAIN_FILE, HIDDEN_FILE, TEST_FILE)]
    files += sorted((gold / REST_FOLDER).glob("*"))
    facts = {
        "gold": {
            file.relative_to(gold).as_posix(): sha256(file) for file in files if file.is_file()
        },
        "features": [metadata.groups, metadata.feature_columns],
        "config": config.model_dump(mode="json"),
        "code": code_hash(),
        "libraries": library_versions(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
