"""Spark's tasks ask fitted models about the test baskets, some rows of gold each.

A model goes there as the bytes that its archive has, and is read by what reads an archive. Rows are
cut where one machine cuts them, so that sums have the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from basketwise.arrays import Matrix
from basketwise.pieces import Map, Result
from basketwise.tables import matrix
from basketwise.training.answering import Model
from basketwise.training.fitting import PREDICT_ROWS, Fitted
from basketwise.training.persistence import dump_model, loads_model

ROWS = 10 * PREDICT_ROWS
"""Baskets of a task."""


@dataclass(frozen=True)
class StoredModel:
    """A model as the bytes of ``model.skops``, and the features that it sees."""

    content: NDArray[np.uint8]
    columns: tuple[str, ...]

    @cached_property
    def fitted(self) -> Fitted:
        """The model."""
        return Fitted(loads_model(self.content.tobytes(), "a model"), 0)


class Rows(NamedTuple):
    """Some rows of a gold file."""

    path: Path
    first: int
    number: int


@dataclass(frozen=True)
class Asking:
    """Gives the probabilities, in single precision, of some baskets by each model."""

    models: dict[str, StoredModel]

    def __call__(self, rows: Rows) -> Result:
        """Return an array of three columns a model."""
        columns = {column for model in self.models.values() for column in model.columns}
        file = pl.scan_parquet(rows.path, glob=False).slice(rows.first, rows.number)
        table = file.select(sorted(columns)).collect()
        return {
            name: model.fitted.predict(matrix(table, model.columns)).astype(np.float32)
            for name, model in self.models.items()
        }


def asked(each: Map, models: Mapping[str, Model], /, path: Path) -> dict[str, Matrix]:
    """Ask models about all baskets of a gold file.

    See :class:`basketwise.training.answering.Ask`; ``each`` does the work.
    """
    stored = {name: _stored(model.fitted, model.columns) for name, model in models.items()}
    height = int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    pieces = (Rows(path, first, min(ROWS, height - first)) for first in range(0, height, ROWS))
    results = each(Asking(stored), pieces)
    parts = [{name: result[name] for name in models} for result in results]
    return {name: np.concatenate([part[name] for part in parts]) for name in models}


def _stored(fitted: Fitted, columns: Sequence[str]) -> StoredModel:
    return StoredModel(np.frombuffer(dump_model(fitted.model), np.uint8), tuple(columns))
