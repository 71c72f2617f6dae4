from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from basketwise.errors import InputError
from basketwise.etl.gold.cohorts import COHORTS_FILE, CUSTOMER, read_cohorts, units_of
from basketwise.etl.silver.chunks import read_chunks
from tests.etl.running import Run


def test_every_test_basket_is_there_in_order(sample_run: Run) -> None:
    cohorts = read_cohorts(sample_run.gold)
    assert cohorts["basket_id"].equals(sample_run.test["basket_id"])
    assert cohorts["basket_size"].equals(sample_run.test["basket_size"])


def test_what_is_known_of_a_basket_is_what_its_lines_say(sample_run: Run) -> None:
    lines = pl.concat(chunk.lines for chunk in read_chunks(sample_run.silver))
    expected_columns = lines.group_by("BASKET_ID").agg(
        pl.col("CUST_CODE", "STORE_FORMAT", "STORE_REGION", "SHOP_WEEK", "SHOP_HOUR").first()
    )
    joined = read_cohorts(sample_run.gold).join(
        expected_columns, left_on="basket_id", right_on="BASKET_ID", how="left"
    )
    for name in ("store_format", "store_region", "shop_week", "shop_hour"):
        assert joined[name].cast(pl.String).eq_missing(joined[name.upper()].cast(pl.String)).all()
    # One number for one customer, none without a card.
    assert joined[CUSTOMER].is_null().equals(joined["CUST_CODE"].is_null())
    pairs = joined.drop_nulls(CUSTOMER).select(CUSTOMER, "CUST_CODE").unique()
    assert pairs.height == pairs[CUSTOMER].n_unique() == pairs["CUST_CODE"].n_unique()


def test_gold_of_an_older_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=COHORTS_FILE):
        read_cohorts(tmp_path)


def test_a_basket_without_a_card_is_a_customer_of_its_own() -> None:
    units = units_of(pl.Series([7, None, 7, None, 2], dtype=pl.Int32))
    assert units is not None
    assert units.dtype == np.int64
    assert units[0] == units[2]
    assert len(set(units.tolist())) == 4


def test_without_any_customer_there_is_nothing_to_draw() -> None:
    assert units_of(pl.Series([None, None], dtype=pl.Int32)) is None
