"""Fitted models and probabilities as bytes: ``model.skops``, and the pieces of a training.

skops names the members of its zip file after addresses in memory and stamps them with the time, so
that no two of its files are alike. Here members are numbered in the order in which the schema
mentions them, equal members are stored once, and times are fixed. Object ids are left out: they
only tell skops which parts to build once, and a model that was read back shares other parts than
one that was just fitted. What is written is a plain skops file all the same; a model of XGBoost
has its booster as XGBoost's JSON in it.

Nothing is a pickle, and the types in a model are fixed in our code. Bytes of a checkpoint that do
not contain what they should count as absent, with a warning in the log.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np

from basketwise.arrays import Probabilities
from basketwise.artifact.stored import read_stored
from basketwise.candidates import TRUSTED
from basketwise.errors import ConfigError, InputError
from basketwise.notices import logger
from basketwise.schema import CLASSES
from basketwise.training.boosters import check_booster, dump_booster, load_booster
from basketwise.training.candidates import Classifier
from basketwise.training.checkpoints import Checkpoints
from basketwise.training.estimators import check_estimator
from basketwise.training.skops_file import (
    MAX_BYTES,
    SCHEMA,
    Node,
    SkopsFile,
    UntrustedTypeError,
    check_rest,
    objects,
    read_skops,
    type_of,
    write_skops,
)
from basketwise.training.trees import construct_tree, tree_of
from basketwise.training.trial import from_pickled, know, try_booster

LOG = logger(__name__)

SECONDS = struct.Struct("<d")

BOOSTER = "xgboost.core.Booster"
FIELD = "_Booster"
"""Where a classifier of XGBoost has its booster."""


def dump_model(model: Classifier) -> bytes:
    """Return the content of ``model.skops``.

    In place of XGBoost's booster it has XGBoost's own JSON of it, as a bytearray.

    Raises
    ------
    ConfigError
        If the model is larger than what :func:`loads_model` reads.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> model = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])
    >>> dump_model(model) == dump_model(model)
    True
    """
    try:
        data = _normalised(_dumped(model))
        read_skops(data)
    except ValueError as error:
        raise ConfigError(
            f"The trained model cannot be stored: {error}.",
            "Let it have fewer or smaller trees, e.g. by n_estimators or max_depth.",
        ) from error
    return data


def _dumped(model: Classifier) -> bytes:
    import skops.io

    state = vars(model)
    if state.get(FIELD) is not None:
        booster = dump_booster(state[FIELD])
        # It was made here, so that it is no danger to this process.
        know(booster)
        check_booster(booster)
        copied = object.__new__(type(model))
        vars(copied).update(state | {FIELD: bytearray(booster)})
        model = copied
    # Compressing a forest takes longer than writing it.
    return cast("bytes", skops.io.dumps(model, compression=zipfile.ZIP_STORED))


def load_model(path: Path) -> Classifier:
    """Load ``model.skops``; see :func:`loads_model`."""
    return loads_model(read_model(path), path.name)


def read_model(path: Path) -> bytes:
    """Read ``model.skops``; an InputError says that it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read: {error}.", "Train the model again."
        ) from error


def loads_model(data: bytes, name: str, features: int | None = None) -> Classifier:
    """Load a model from bytes that may come from anywhere.

    All types, arrays and trees in it are checked before anything is constructed; then it is one of
    the candidates, fitted on our classes, and gives probabilities of example rows.

    Parameters
    ----------
    data : bytes
        Content of ``model.skops``.
    name : str
        What errors call it.
    features : int, optional
        How many features it must have been fitted on.

    Raises
    ------
    InputError
        If anything is otherwise, or it cannot be loaded.
    """
    try:
        return _loaded(read_skops(data), features)
    except UntrustedTypeError as error:
        raise InputError(
            f"{name} contains {error}.", "It was not trained by Basketwise; do not use it."
        ) from error
    # Whatever the damaged part of an object runs into.
    except Exception as error:
        raise InputError(
            f"{name} cannot be loaded: {str(error) or type(error).__name__}.",
            "It may be damaged, or written by another version of scikit-learn.",
        ) from error


def _loaded(file: SkopsFile, features: int | None) -> Classifier:
    import skops.io

    schema, booster = file.schema, None
    parts = list(objects(file))
    if type_of(schema) not in TRUSTED:
        raise ValueError(f"it is of type {schema.get('__class__')}, which is no candidate")
    state = schema["content"]["content"]
    trees = _taken_out(parts)
    for tree in trees:
        tree_of(tree, file)
    for node in parts:
        if type_of(node) == BOOSTER and node is not state.get(FIELD):
            raise ValueError("it contains a booster that is not a classifier's")
    if FIELD in state:
        booster = _booster(state[FIELD], file)
        state[FIELD] = {**state["n_classes_"], "content": "null"}
    check_rest(file)
    model = skops.io.loads(write_skops(schema, file.members), trusted=list(TRUSTED))
    if trees:
        owners = getattr(model, "estimators_", [model])
        for owner, tree in zip(owners, trees, strict=True):
            owner.tree_ = construct_tree(tree, file)
    if booster is not None:
        expected = check_booster(booster)
        try_booster(booster, expected)
        setattr(model, FIELD, load_booster(booster, model.n_jobs))
    check_estimator(model, features)
    return cast("Classifier", model)


def _taken_out(parts: list[Node]) -> list[Node]:
    """Take the trees out of the estimators of a schema: skops would have each array thrice."""
    trees = []
    for node in parts:
        state = node["content"].get("content")
        tree = state.get("tree_") if isinstance(state, dict) else None
        if isinstance(tree, dict) and tree["__loader__"] == "TreeNode":
            trees.append(tree)
            state["tree_"] = {**tree["content"]["content"]["max_depth"], "content": "null"}
    if len(trees) != sum(node["__loader__"] == "TreeNode" for node in parts):
        raise ValueError("it contains a tree that is not an estimator's")
    return trees


def _booster(node: dict[str, Any], file: SkopsFile) -> bytes:
    """Return XGBoost's JSON from the node of a booster, which was a pickled one once."""
    pickled = type_of(node) == BOOSTER
    content = node["content"]["content"]["handle"] if pickled else node
    if content["__loader__"] != "BytearrayNode":
        raise ValueError("its booster is missing")
    data = bytes(file.members[content["file"]])
    return from_pickled(data) if pickled else data


def _normalised(data: bytes) -> bytes:
    """Rewrite a skops file so that its bytes depend on the object alone."""
    source = read_stored(data)
    names: dict[bytes, str] = {}
    members: dict[str, memoryview] = {}

    def rename(state: dict[str, Any]) -> dict[str, Any]:
        """Drop the id of an object in the schema, and give its file a new name."""
        if "__loader__" not in state:
            return state
        state.pop("__id__", None)
        if "file" in state:
            content, suffix = bytes(source[state["file"]]), Path(state["file"]).suffix
            if suffix == ".npy":
                content = _without_padding(content)
            state["file"] = names.setdefault(content, f"{len(names)}{suffix}")
            members[state["file"]] = memoryview(content)
        return state

    schema = json.loads(bytes(source[SCHEMA]), object_hook=rename)
    return write_skops(schema, members)


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
    checkpoints.store(piece, SECONDS.pack(seconds) + _dumped(model))


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
    return model, seconds


def _unusable(piece: str, reason: Exception) -> None:
    """Log that a checkpoint cannot be used: an upgrade could invalidate all of them."""
    LOG.warning("The checkpoint of %s cannot be used; it is trained again: %s", piece, reason)
