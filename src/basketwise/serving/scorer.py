"""A model, its calibration, its index and its recipe: from lines to probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from basketwise.artifact.archive import check, unpack
from basketwise.errors import InputError
from basketwise.etl.metadata import Metadata
from basketwise.etl.tables import INDEX_FILE, KEY, METADATA_FILE, Recipe, features
from basketwise.features.groups import columns_of, of_index
from basketwise.features.product_index.table import look_up
from basketwise.schema import CLASSES, PROD_CODE
from basketwise.training.calibration import Calibration, calibrate, read_calibration
from basketwise.training.candidates import Classifier
from basketwise.training.persistence import MODEL, load_model
from basketwise.training.predictions import decide

PREDICTED = "predicted_sensitivity"
PROBABILITIES = tuple(f"p_{label.lower()}" for label in CLASSES)


@dataclass(frozen=True)
class Scorer:
    """Everything that scoring needs; nothing of the training data."""

    model: Classifier
    calibration: Calibration
    metadata: Metadata
    index: pl.DataFrame | None

    def score(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Score whole baskets.

        Parameters
        ----------
        lines : DataFrame
            One row per line, columns of the schema; the label is not looked at.

        Returns
        -------
        DataFrame
            One row per basket, sorted: ``basket_id`` (as in ``lines``),
            ``predicted_sensitivity``, ``p_low``, ``p_medium``, ``p_high`` (Float64, calibrated,
            sum 1). With outliers dropped, a basket of outliers alone has no row.
        """
        recipe = Recipe(
            self.metadata.encoders.model_dump(),
            self.metadata.outliers.treatment,
            self.metadata.outliers.threshold,
        )
        index = None if self.index is None else look_up(self.index, lines)
        table = features(lines, recipe, index, on=[PROD_CODE])
        X = table.select(pl.col(*self.metadata.feature_columns).cast(pl.Float32)).to_numpy()
        probabilities = np.empty((0, len(CLASSES)))
        if table.height:
            probabilities = self.model.predict_proba(np.ascontiguousarray(X)).astype(np.float64)
        probabilities = calibrate(probabilities, self.calibration)
        # In single precision, as evaluation keeps and judges them: else a tie could be decided
        # one way there and another way here.
        predicted = np.asarray(CLASSES)[decide(probabilities.astype(np.float32))]
        return table.select(KEY).with_columns(
            pl.Series(PREDICTED, predicted, dtype=pl.String),
            *(pl.Series(name, p) for name, p in zip(PROBABILITIES, probabilities.T, strict=True)),
        )


def load_scorer(model: Path) -> Scorer:
    """Open a ``model.tar.gz``, or a folder with its files.

    Raises
    ------
    InputError
        If it is not a model that Basketwise packed, or was changed since.
    """
    if model.is_dir():
        check(model, model.name)
        return _from_folder(model)
    if not model.is_file():
        raise InputError(
            f"There is no model at {str(model)!r}.",
            "Give a model.tar.gz, a folder of its files, a version, or 'champion'.",
        )
    with TemporaryDirectory(prefix="basketwise-") as scratch:
        unpack(model, Path(scratch))
        return _from_folder(Path(scratch))


def _from_folder(folder: Path) -> Scorer:
    index = None
    try:
        metadata = Metadata.model_validate_json((folder / METADATA_FILE).read_bytes())
        if of_index(metadata.groups):
            index = pl.read_parquet(folder / INDEX_FILE, memory_map=False)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"The model's {METADATA_FILE} or {INDEX_FILE} cannot be read.",
            "It may be of another version of Basketwise; train it again with this one.",
        ) from error
    known = columns_of(metadata.groups)
    unknown = [column for column in metadata.feature_columns if column not in known]
    if unknown:
        raise InputError(
            f"The model asks for the feature {unknown[0]!r}, which this version of Basketwise does "
            "not compute.",
            "Use the version that trained it, or train it again with this one.",
        )
    return Scorer(load_model(folder / MODEL), read_calibration(folder), metadata, index)
