"""Opening a trained model's archive."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from basketwise.artifact.archive import check, unpack
from basketwise.errors import InputError
from basketwise.etl.metadata import Metadata
from basketwise.etl.tables import INDEX_FILE, METADATA_FILE
from basketwise.features.groups import columns_of, of_index
from basketwise.features.product_index.lookup import IndexLookup
from basketwise.files import MODEL
from basketwise.model.scoring import Model
from basketwise.training.calibration import read_calibration
from basketwise.training.candidates import Predictor
from basketwise.training.compatibility import check_versions
from basketwise.training.persistence import loads_model, read_model
from basketwise.training.trees import read_tree


def load_model_archive(path: Path) -> Model:
    """Open a ``model.tar.gz``, or a folder with its files.

    Raises
    ------
    InputError
        If it was not packed by Basketwise, was changed afterwards, or needs another version of
        scikit-learn or XGBoost.
    """
    if path.is_dir():
        return _from_folder(path, check(path, path.name))
    if not path.is_file():
        raise InputError(
            f"There is no model at {str(path)!r}.",
            "Give a model.tar.gz, a folder of its files, a version, or 'champion'.",
        )
    with TemporaryDirectory(prefix="basketwise-") as scratch:
        return _from_folder(Path(scratch), unpack(path, Path(scratch)))


def _from_folder(folder: Path, manifest: Mapping[str, Any]) -> Model:
    lookup = None
    try:
        metadata = Metadata.model_validate_json((folder / METADATA_FILE).read_bytes())
        if of_index(metadata.groups):
            lookup = IndexLookup(pl.read_parquet(folder / INDEX_FILE, memory_map=False, glob=False))
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"The model's {METADATA_FILE} or {INDEX_FILE} cannot be read.",
            "It may be from another version of Basketwise; retrain it with this one.",
        ) from error
    known = columns_of(metadata.groups)
    unknown = [column for column in metadata.feature_columns if column not in known]
    if unknown:
        raise InputError(
            f"The model needs the feature {unknown[0]!r}, which this version of Basketwise does "
            "not compute.",
            "Use the version that trained it, or retrain it with this one.",
        )
    data = read_model(folder / MODEL)
    tree = read_tree(data, len(metadata.feature_columns))
    estimator = tree or _load_estimator(data, manifest)
    return Model(estimator, read_calibration(folder), metadata, lookup)


def _load_estimator(data: bytes, manifest: Mapping[str, Any]) -> Predictor:
    check_versions(data, manifest.get("versions"))
    from sklearn.exceptions import InconsistentVersionWarning

    # The versions have been compared: scikit-learn's own warning adds nothing.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        return loads_model(data, MODEL)
