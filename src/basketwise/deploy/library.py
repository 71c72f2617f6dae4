"""What a model needs to be applied, and the lock that pins what its image has."""

from __future__ import annotations

import re
from enum import StrEnum
from importlib import resources
from pathlib import Path

from basketwise.artifact.archive import unpack
from basketwise.errors import InputError
from basketwise.etl.metadata import Metadata
from basketwise.etl.tables import METADATA_FILE
from basketwise.files import MODEL, NOVELTY
from basketwise.scratch import scratch
from basketwise.training.compatibility import LIBRARIES, package_of
from basketwise.training.persistence import read_model
from basketwise.training.trees import read_tree


class Library(StrEnum):
    """The heaviest library that a model's estimators need; each includes the ones before it."""

    TREE = "tree"
    """None: a decision tree is applied by NumPy."""
    SKLEARN = "sklearn"
    XGBOOST = "xgboost"


def library_of(archive: Path) -> Library:
    """Return what the estimators of an archive need, the second one's included.

    Raises
    ------
    InputError
        If the lock pins another version of it than the one that trained the model.
    """
    with scratch() as folder:
        manifest = unpack(archive, folder)
        metadata = Metadata.model_validate_json((folder / METADATA_FILE).read_bytes())
        models = [
            read_model(folder / name) for name in (MODEL, NOVELTY) if (folder / name).exists()
        ]
    trained = manifest.get("versions")
    needed = Library.TREE
    order = list(Library)
    for data in models:
        if read_tree(data, len(metadata.feature_columns)) is None:
            needed = max(needed, Library(package_of(data)), key=order.index)
    check_lock(needed, trained if isinstance(trained, dict) else {})
    return needed


def lock_text(library: Library) -> str:
    """Return the lock with the packages, and their hashes, of an image that serves such a model."""
    return resources.files(__package__).joinpath(f"locks/{library}.lock").read_text("utf-8")


def check_lock(library: Library, trained: dict[str, object]) -> None:
    """Refuse a lock whose library would not score the model as the one that trained it did."""
    pins = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lock_text(library), re.MULTILINE))
    for needed in LIBRARIES.values():
        for distribution in needed.distributions:
            pinned, own = pins.get(distribution), str(trained.get(distribution, ""))
            if not pinned or not re.match(r"\d", own):
                continue
            if pinned.split(".")[: needed.parts] != own.split(".")[: needed.parts]:
                raise InputError(
                    f"The model was trained with {needed.name} {own}; images of this version of "
                    f"Basketwise have {pinned}, which may score it differently.",
                    "Train the model again with the libraries that Basketwise pins.",
                )
