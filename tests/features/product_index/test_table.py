import numpy as np
import polars as pl

from basketwise.features.product_index.table import (
    BASKETS,
    COLUMNS,
    SCORES,
    build_table,
    levels_of,
)
from basketwise.schema import HIERARCHY, INDEX_LABELS

SCHEMA = dict.fromkeys(("PROD_CODE", *HIERARCHY), pl.String)


def products(**groups: str | None) -> pl.DataFrame:
    """Products in groups of the finest level, all of one department D above it."""
    rows = [(code, group, None, None, "D" if group else None) for code, group in groups.items()]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def index(**known: tuple[str | None, str, float]) -> pl.DataFrame:
    """Each product's group, class and score (its own class's; the others' are 0)."""
    classes = np.array([INDEX_LABELS.index(label) for _, label, _ in known.values()])
    strength = np.array([score for _, _, score in known.values()])
    return build_table(
        products(**{code: group for code, (group, _, _) in known.items()}),
        (np.eye(len(INDEX_LABELS))[classes] * strength[:, None]).astype(np.float32),
        np.eye(len(INDEX_LABELS))[classes],
        np.eye(len(INDEX_LABELS))[classes],
        np.full(len(known), 9),
    )


KNOWN = index(
    a=("g1", "High", 1.0), b=("g1", "High", 0.5), c=("g2", "Low", 1.0), d=("g2", "Low", 1.0)
)


def test_columns() -> None:
    assert tuple(KNOWN.columns) == COLUMNS
    assert KNOWN.schema[SCORES[0]] == pl.Float32
    assert KNOWN.schema[BASKETS] == pl.UInt32


def test_levels_are_numbered_and_minus_one_where_unknown() -> None:
    fine, _, _, coarse = levels_of(products(a="g2", b="g1", c="g2", d=None))
    assert fine.tolist() == [1, 0, 1, -1]
    assert coarse.tolist() == [0, 0, 0, -1]
