"""What a model needs to be applied, and the lock that pins what its image has."""

from __future__ import annotations

import re
from enum import StrEnum
from importlib import resources
from pathlib import Path

from basketwise.artifact.archive import unpack
from basketwise.errors import InputError
from basketwise.etl.gold.metadata import Metadata
from basketwise.etl.gold.tables import METADATA_FILE
from basketwise.files import MODEL, NOVELTY
from basketwise.scratch import scratch
from basketwise.training.boosted_trees import read_boosted_trees
from basketwise.training.compatibility import LIBRARIES, package_of
from basketwise.training.persistence import read_model
from basketwise.training.trees import read_tree


class Library(StrEnum):
    """What a model's estimators need: the name of the lock of its image."""

    TREE = "tree"
    """Nothing: a decision tree is applied by NumPy."""
    XGBOOST = "xgboost"
    """XGBoost's shared library, whose package is never imported; so SciPy is not there."""
    SKLEARN = "sklearn"
    """scikit-learn and skops."""
    BOTH = "sklearn-xgboost"
    """All of them."""


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
    packages = set[str]().union(
        *(_packages(data, len(metadata.feature_columns)) for data in models)
    )
    library = Library("-".join(sorted(packages)) or Library.TREE)
    check_lock(library, trained if isinstance(trained, dict) else {})
    return library


def _packages(data: bytes, features: int) -> set[str]:
    """Return the packages that apply a model, as opening an archive chooses them."""
    if read_tree(data, features) is not None:
        return set()
    if read_boosted_trees(data, features) is not None:
        return {"xgboost"}
    return {"sklearn", package_of(data)}


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
