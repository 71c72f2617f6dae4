"""Fitted models and probabilities as bytes: ``model.skops``, and the pieces of a training.

skops names the members of its zip file after addresses in memory and stamps them with the time, so
that no two of its files are alike. Here members are numbered in the order in which the schema
mentions them, equal members are stored once, and times are fixed. Object ids are left out: they
only tell skops which parts to build once, and a model that was read back shares other parts than
one that was just fitted. What is written is a plain skops file all the same.

Nothing is a pickle, and the types in a model are fixed in our code. Bytes of a checkpoint that do
not contain what they should count as absent, with a warning in the log.
"""

from __future__ import annotations

import io
import json
import logging
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np

from basketwise.arrays import Probabilities
from basketwise.candidates import TRUSTED
from basketwise.errors import InputError
from basketwise.schema import CLASSES
from basketwise.training.candidates import Classifier
from basketwise.training.checkpoints import Checkpoints
from basketwise.training.trees import SCHEMA

LOG = logging.getLogger(__name__)

SECONDS = struct.Struct("<d")

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold."""

UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What skops raises for bytes that are damaged, of another version, or no skops file: its own
errors are among these, and it passes on whatever the damaged part of an object runs into."""


def dump_model(model: Classifier) -> bytes:
    """Return the content of ``model.skops``.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> model = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])
    >>> dump_model(model) == dump_model(model)
    True
    """
    import skops.io

    return _normalised(skops.io.dumps(model))


def load_model(path: Path) -> Classifier:
    """Load ``model.skops``; see :func:`loads_model`."""
    return loads_model(read_model(path), path.name)


def read_model(path: Path) -> bytes:
    """Read ``model.skops``; an InputError says that it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read: {error}.", "Train the model again."
        ) from error


def loads_model(data: bytes, name: str) -> Classifier:
    """Load a model from bytes that may come from anywhere, after an audit of all types in it.

    Raises
    ------
    InputError
        If it cannot be loaded, or contains a type that no candidate of Basketwise is made of.
    """
    import skops.io

    try:
        untrusted = set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED)
        if not untrusted:
            return cast("Classifier", skops.io.loads(data, trusted=list(TRUSTED)))
    except UNREADABLE as error:
        raise InputError(
            f"{name} cannot be loaded: {error}.",
            "It may be damaged, or written by another version of scikit-learn.",
        ) from error
    raise InputError(
        f"{name} contains types that are not trusted: {', '.join(sorted(untrusted))}.",
        "It was not trained by Basketwise; do not use it.",
    )


def _normalised(data: bytes) -> bytes:
    """Rewrite a skops file so that its bytes depend on the object alone."""
    members: dict[bytes, str] = {}
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target,
    ):

        def rename(state: dict[str, Any]) -> dict[str, Any]:
            """Drop the id of an object in the schema, and give its file a new name."""
            if "__loader__" not in state:
                return state
            state.pop("__id__", None)
            if "file" in state:
                content, suffix = source.read(state["file"]), Path(state["file"]).suffix
                if suffix == ".npy":
                    content = _without_padding(content)
                if content not in members:
                    members[content] = f"{len(members)}{suffix}"
                    target.writestr(zipfile.ZipInfo(members[content], EPOCH), content)
                state["file"] = members[content]
            return state

        schema = json.loads(source.read(SCHEMA), object_hook=rename)
        target.writestr(zipfile.ZipInfo(SCHEMA, EPOCH), json.dumps(schema, separators=(",", ":")))
    return out.getvalue()


def _without_padding(npy: bytes) -> bytes:
    """Set to 0 the bytes between the fields of a structured array, which can contain anything."""
    array = np.load(io.BytesIO(npy), allow_pickle=False)
    fields = array.dtype.fields
    if not fields:
        return npy
    start = len(npy) - array.nbytes
    used = np.zeros(array.dtype.itemsize, dtype=bool)
    for dtype, offset, *_ in fields.values():
        used[offset : offset + dtype.itemsize] = True
    rows = np.frombuffer(npy, np.uint8, offset=start).reshape(-1, used.size)
    return npy[:start] + np.where(used, rows, 0).astype(np.uint8).tobytes()


def store_probabilities(checkpoints: Checkpoints, piece: str, probabilities: Probabilities) -> None:
    """Store one row of class probabilities per basket, in the precision that the model gave."""
    stream = io.BytesIO()
    np.save(stream, probabilities, allow_pickle=False)
    checkpoints.store(piece, stream.getvalue())


def stored_probabilities(
    checkpoints: Checkpoints, piece: str, baskets: int
) -> Probabilities | None:
    """Return the stored probabilities of so many baskets; None if there are none."""
    payload = checkpoints.load(piece)
    if payload is None:
        return None
    try:
        probabilities = np.load(io.BytesIO(payload), allow_pickle=False)
    except (ValueError, EOFError) as error:
        _unusable(piece, error)
        return None
    if not isinstance(probabilities, np.ndarray) or probabilities.dtype.kind != "f":
        return None
    return probabilities if probabilities.shape == (baskets, len(CLASSES)) else None


def store_model(checkpoints: Checkpoints, piece: str, model: Classifier, seconds: float) -> None:
    """Store a fitted model, and how long the fit took."""
    if checkpoints.folder is None:
        return
    import skops.io

    # Compressing a forest takes longer than writing it.
    data = skops.io.dumps(model, compression=zipfile.ZIP_STORED)
    checkpoints.store(piece, SECONDS.pack(seconds) + data)


def stored_model(checkpoints: Checkpoints, piece: str) -> tuple[Classifier, float] | None:
    """Return a stored model, and how long its fit took; None if there is none."""
    if checkpoints.folder is None:
        return None
    # Before the payload is read: by the time that threads store models, it is imported.
    import skops.io  # noqa: F401

    payload = checkpoints.load(piece)
    if payload is None:
        return None
    try:
        (seconds,) = SECONDS.unpack_from(payload)
        model = loads_model(payload[SECONDS.size :], piece)
    except (struct.error, InputError) as error:
        _unusable(piece, error)
        return None
    return (model, seconds) if hasattr(model, "predict_proba") else None


def _unusable(piece: str, reason: Exception) -> None:
    """Log that a checkpoint cannot be used: an upgrade could invalidate all of them."""
    LOG.warning("The checkpoint of %s cannot be used; it is trained again: %s", piece, reason)
