"""Opening a trained model's archive."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from polars.exceptions import PanicException

from basketwise.arrays import Matrix, Probabilities
from basketwise.artifact.archive import check, unpack
from basketwise.artifact.documents import complaint, read_bounded
from basketwise.disk import full_disk, is_full, named
from basketwise.errors import BasketwiseError, InputError
from basketwise.etl.gold.metadata import Metadata
from basketwise.etl.gold.tables import INDEX_FILE, METADATA_FILE
from basketwise.features.groups import columns_of, of_history, of_index
from basketwise.features.product import SHARE_NEW
from basketwise.features.product_index.lookup import IndexLookup
from basketwise.features.product_index.reading import read_index
from basketwise.files import ARCHIVE, MODEL, NOVELTY
from basketwise.model.example import score_example
from basketwise.model.scoring import Model
from basketwise.schema import CLASSES
from basketwise.scratch import is_scratch, scratch
from basketwise.training.boosted_trees import read_boosted_trees
from basketwise.training.calibration import read_calibration
from basketwise.training.candidates import Predictor
from basketwise.training.compatibility import check_versions
from basketwise.training.forests import predict_proba
from basketwise.training.persistence import loads_model, read_model
from basketwise.training.trees import read_tree


class Late:
    """A model that is opened when it is first asked.

    Few baskets ask for the second model, and its library takes longer to load than a file to score.
    """

    def __init__(self, read: Callable[[], Predictor]) -> None:
        self._read = read
        self._lock = Lock()
        self._model: Predictor | None = None

    def __reduce__(self) -> tuple[type[Late], tuple[Callable[[], Predictor]]]:
        """Send to another process what it was read from; a lock cannot be sent."""
        return Late, (self._read,)

    def predict_proba(self, X: Matrix) -> Probabilities:
        """Return one column of probabilities per class number.

        Raises
        ------
        InputError
            If the model cannot be opened.
        """
        # Two threads that load a library at once meet half-loaded modules.
        with self._lock:
            if self._model is None:
                self._model = self._read()
        return predict_proba(self._model, X)


def load_model_archive(path: Path, *, late: bool = False) -> Model:
    """Open a ``model.tar.gz``, or a folder with its files, which may come from anywhere.

    Parameters
    ----------
    path : Path
        The archive or the folder.
    late : bool
        Open its second model, if there is one, when the first basket asks for it, with the same
        checks; its digest and the versions of libraries are compared at once.

    Raises
    ------
    InputError
        If it was not packed by Basketwise, was changed afterwards, needs another version of
        scikit-learn or XGBoost, has a value that training would not leave, or cannot score an
        example; whatever is wrong with it.
    WorkspaceError
        If the disk of temporary files is full.
    """
    try:
        return _opened(path, late)
    except BasketwiseError:
        raise
    # Polars' panics are no exceptions.
    except (Exception, PanicException) as error:
        if is_full(error):
            # Of the model itself, a child process gets a copy.
            raise full_disk([named(Path(tempfile.gettempdir()))]) from error
        raise InputError(
            f"{path.name} cannot be opened as a model: {complaint(error)}.",
            "It may be damaged, or from another version of Basketwise; retrain it with this one.",
        ) from error


def _opened(path: Path, late: bool) -> Model:
    if path.is_dir():
        archive = path / ARCHIVE
        if archive.is_file() and not (path / METADATA_FILE).exists():
            raise InputError(
                f"{str(path)!r} is the folder of a run, not that of a model's files.",
                f"Give the archive in it: {archive}.",
            )
        return _from_folder(path, check(path, path.name), late)
    if not path.is_file():
        raise InputError(
            f"There is no model at {str(path)!r}.",
            "Give a model.tar.gz, a folder of its files, a version, or 'champion'.",
        )
    # Beside an archive that was fetched, but not beside one of the user's.
    with scratch(path.parent if is_scratch(path.parent) else None) as folder:
        return _from_folder(folder, unpack(path, folder), late)


def _from_folder(folder: Path, manifest: Mapping[str, Any], late: bool) -> Model:
    name = METADATA_FILE
    try:
        metadata = Metadata.model_validate_json(read_bounded(folder / METADATA_FILE))
        _check(metadata)
        name = INDEX_FILE
        indexed = of_index(metadata.groups)
        lookup = IndexLookup(read_index(folder / INDEX_FILE)) if indexed else None
    except BasketwiseError:
        raise
    except (Exception, PanicException) as error:
        raise InputError(
            f"The model's {name} cannot be read: {complaint(error)}.",
            "It may be from another version of Basketwise; retrain it with this one.",
        ) from error
    calibration = read_calibration(folder)
    columns = metadata.feature_columns
    estimator = _read_estimator(read_model(folder / MODEL), MODEL, manifest, len(columns))
    novelty: Predictor | None = None
    if calibration.new_products is not None:
        if SHARE_NEW not in columns:
            raise ValueError(f"its second model needs the feature {SHARE_NEW}")
        data = read_model(folder / NOVELTY)
        read = partial(_read_estimator, data, NOVELTY, manifest, len(columns))
        check_versions(data, manifest.get("versions"))
        novelty = Late(read) if late else read()
    model = Model(estimator, calibration, metadata, lookup, novelty=novelty)
    score_example(model)
    return model


def _check(metadata: Metadata) -> None:
    """Refuse what no training writes, although it has the right types."""
    columns, encoders = metadata.feature_columns, metadata.encoders
    unknown = [column for column in columns if column not in columns_of(metadata.groups)]
    if unknown:
        raise InputError(
            f"The model needs the feature {unknown[0][:100]!r}, which this version of Basketwise "
            "does not compute.",
            "Use the version that trained it, or retrain it with this one.",
        )
    if not columns or len(set(columns)) != len(columns):
        raise ValueError("its feature_columns are empty, or name one twice")
    if of_history(metadata.groups) and metadata.history is None:
        raise ValueError("it does not say what is expected of unknown customers")
    if metadata.target_classes != list(CLASSES):
        raise ValueError(f"its target_classes are not {', '.join(CLASSES)}")
    if any(
        len(set(names)) != len(names) for names in (encoders.store_format, encoders.store_region)
    ):
        raise ValueError("its encoders name a category twice")


def _read_estimator(
    data: bytes, name: str, manifest: Mapping[str, Any], features: int
) -> Predictor:
    tree = read_tree(data, features)
    if tree is not None:
        return tree
    check_versions(data, manifest.get("versions"))
    return _read_boosted_trees(data, name, features) or _load_estimator(data, name, features)


def _read_boosted_trees(data: bytes, name: str, features: int) -> Predictor | None:
    try:
        return read_boosted_trees(data, features)
    except ValueError as error:
        raise InputError(
            f"{name} cannot be loaded: {error}.",
            "It may be damaged, or written by another version of XGBoost.",
        ) from error


def _load_estimator(data: bytes, name: str, features: int) -> Predictor:
    from sklearn.exceptions import InconsistentVersionWarning

    # The versions have been compared: scikit-learn's own warning adds nothing.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        return loads_model(data, name, features)
