"""The compiled path and the path of frames, side by side on the same raw lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from basketwise.arrays import Matrix, Probabilities
from basketwise.errors import InputError
from basketwise.etl.gold.metadata import Metadata
from basketwise.etl.lines.accepting import clean_table
from basketwise.features.groups import columns_of
from basketwise.features.recipe import features
from basketwise.features.unseen import Unseen
from basketwise.model.compiled.answering import Answer
from basketwise.model.scoring import Model
from basketwise.schema import BASKET_ID, FEATURE_GROUPS, REASON, ROW

Rows = Sequence[Mapping[str, Any]]

ALL_GROUPS = [name for name in FEATURE_GROUPS if name != "customer"]


class Everything:
    """An estimator whose answers hang on all of the features."""

    def predict_proba(self, X: Matrix) -> Probabilities:
        logits = np.stack([np.tanh(X[:, k::3].astype(np.float64)).sum(axis=1) for k in range(3)])
        powers = np.exp(logits).T
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def watched(
    model: Model,
    groups: Sequence[str] = ALL_GROUPS,
    *,
    outliers: Mapping[str, Any] | None = None,
    rules: Mapping[str, Any] | None = None,
) -> Model:
    """Return a model whose features can be compared, with other groups, outliers and rules."""
    given = model.metadata
    metadata: Metadata = given.model_copy(
        update={
            "groups": list(groups),
            "feature_columns": columns_of(groups),
            "outliers": given.outliers.model_copy(update=dict(outliers or {})),
            "rules": given.rules.model_copy(update=dict(rules or {})),
        }
    )
    lookup = model.lookup if set(groups) - {"basket", "season"} else None
    return Model(Everything(), model.calibration, metadata, lookup)


def compare(model: Model, rows: Rows) -> Answer | None:
    """Score rows in both ways, and expect the same to the last bit wherever there is an answer."""
    assert model.compiled is not None
    answer = model.compiled.score(rows)
    if answer is None:
        return None
    try:
        cleaned = clean_table(list(rows), model.rules)
        unseen = Unseen()
        table = model.score(cleaned.lines, unseen)
        framed = features(cleaned.lines, model.recipe, model.lookup.score if model.lookup else None)
    except InputError as error:
        raise AssertionError(f"it answers what is an error: {error}") from error
    for name, column in zip(model.metadata.feature_columns, answer.features.T, strict=True):
        expected = framed[name].cast(pl.Float64).to_list()
        assert hexadecimal(column.tolist()) == hexadecimal(expected), name
    own = answer.table()
    assert own.schema == table.schema
    assert bits(own) == bits(table)
    assert answer.accepted == cleaned.lines.height
    assert answer.rejected == list(cleaned.rejected.select(ROW, BASKET_ID, REASON).iter_rows())
    assert answer.reasons == cleaned.reasons
    assert answer.unseen == unseen
    return answer


def bits(table: pl.DataFrame) -> list[list[Any]]:
    """Return the rows of a table."""
    return [hexadecimal(row) for row in table.iter_rows()]


def hexadecimal(values: Iterable[Any]) -> list[Any]:
    """Write numbers so that 0.0 is not -0.0."""
    return [value.hex() if isinstance(value, float) else value for value in values]


def as_text(rows: Rows) -> list[dict[str, str | None]]:
    """Write every value as text, as those of a request are."""
    write: Callable[[Any], str | None] = lambda value: None if value is None else str(value)  # noqa: E731
    return [{name: write(value) for name, value in row.items()} for row in rows]
