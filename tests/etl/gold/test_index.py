import numpy as np
import polars as pl

from basketwise.etl.gold.index import Numbering
from basketwise.etl.gold.tables import UnreadChunk
from basketwise.etl.silver.chunks import chunk_files
from basketwise.features.product_index.evidence import numbered
from tests.etl.running import Run


def test_of_weeks_without_training_baskets_no_line_is_read(sample_run: Run) -> None:
    files = tuple(path for _, path in next(chunk_files(sample_run.silver))[0])
    lines = pl.read_parquet(files[0], glob=False)
    products = lines.select(pl.col("PROD_CODE").unique())
    label = "BASKET_PRICE_SENSITIVITY"
    baskets = lines.group_by("BASKET_ID").agg(pl.col(label).first()).sort("BASKET_ID")
    baskets = baskets.with_columns(fold=pl.lit(0, pl.Int8))
    work = Numbering(numbered(products), None)
    some = work(UnreadChunk(files[:1], baskets, partial=True))
    # The other files need not even be there.
    unread = (*files[:1], files[0].with_name("absent.parquet"))
    none = work(UnreadChunk(unread, baskets.clear(), partial=True))
    assert some["lines"].sum() == lines.height
    for name, values in some.items():
        assert none[name].dtype == values.dtype
        assert none[name].tolist() == ([0] if name == "start" else [])
        assert np.asarray(values).size
