"""A shop whose labels depend on the customer, and its gold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from basketwise.config import Config
from tests.etl.running import Run, run

LABEL = "BASKET_PRICE_SENSITIVITY"
CODES = {"UM": "Low", "MM": "Medium", "LA": "High"}


def by_customer(lines: pl.DataFrame) -> pl.DataFrame:
    """Label nine of ten baskets by their customer, the others by chance; some have no card."""
    baskets = lines.unique("BASKET_ID").select("BASKET_ID").sort("BASKET_ID")
    rng = np.random.default_rng(6)
    number = rng.integers(0, 60, baskets.height)
    own = np.where(rng.random(baskets.height) < 0.9, number % 3, rng.integers(0, 3, number.size))
    owners = baskets.with_columns(
        pl.Series("CUST_CODE", [None if k == 0 else f"CUST{k:03}" for k in number]),
        pl.Series(LABEL, np.asarray(list(CODES))[own]),
    )
    return lines.drop("CUST_CODE", LABEL).join(owners, on="BASKET_ID")


def made(lines: pl.DataFrame, root: Path, split: str = "time", **features: object) -> Run:
    (root / "raw").mkdir(parents=True)
    lines.write_csv(root / "raw" / "lines.csv")
    chosen = {"groups": ["basket", "customer"], "tried": []} | features
    config = Config.model_validate(
        {"features": chosen, "training": {"folds": 3}, "split": {"strategy": split}}
    )
    return run(root / "raw", root / "out", config)
