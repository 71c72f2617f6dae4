import numpy as np
import polars as pl
import pytest

from basketwise.features.product_index.hierarchy import STRENGTH
from basketwise.features.product_index.table import (
    BASKETS,
    CLASS,
    COLUMNS,
    SCORES,
    build_table,
    complete,
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
        classes,
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


def test_nothing_unseen_changes_nothing() -> None:
    assert complete(KNOWN, products(a="g1")).equals(KNOWN)


def test_unseen_products_get_their_finest_known_group() -> None:
    done = complete(KNOWN, products(a="g1", new="g1", newer="g2"))
    assert done.head(4).equals(KNOWN)
    added = done.tail(2)
    assert added.select("PROD_CODE", CLASS, BASKETS).rows() == [
        ("new", "High", 0),
        ("newer", "Low", 0),
    ]
    overall = 1.5 / 4
    department = (1.5 + STRENGTH * overall) / (4 + STRENGTH)
    group = (1.5 + STRENGTH * department) / (2 + STRENGTH)
    assert added["score_high"][0] == pytest.approx(group, rel=1e-6)
    votes = (2 / 4 * STRENGTH + 2) / (2 + STRENGTH)
    assert added["probability"][0] == pytest.approx(votes, rel=1e-6)


def test_an_unknown_group_falls_back_on_the_level_above() -> None:
    # The levels between the finest and the department are unknown, and passed over.
    outside = dict.fromkeys(("c", "d", "e", "f"), (None, "Low", 1.0))
    mostly_low = index(a=("g1", "High", 1.0), b=("g1", "High", 1.0), **outside)
    done = complete(mostly_low, products(new="g9", lost=None))
    assert done.tail(2).select("PROD_CODE", CLASS).rows() == [("new", "High"), ("lost", "Low")]


def test_without_any_group_the_average_of_all_products_counts() -> None:
    done = complete(KNOWN, products(new=None)).tail(1)
    assert done["score_low"][0] == pytest.approx(0.5)
    assert done["score_high"][0] == pytest.approx(1.5 / 4)


def test_rows_that_rest_on_no_basket_are_no_evidence() -> None:
    guessed = KNOWN.with_columns(
        pl.when(pl.col("PROD_CODE").is_in(["c", "d"]))
        .then(pl.lit(0, pl.UInt32))
        .otherwise(BASKETS)
        .alias(BASKETS)
    )
    assert complete(guessed, products(new="g2")).tail(1)[CLASS].to_list() == ["High"]
