import io

import numpy as np
import polars as pl

from basketwise.sampling.tables import Selection, Table, join_columns, join_text

PRICES = Table(pl.DataFrame({"NAME": ["a", "b"], "PRICE": [1234.05, 0.1]}))
CARDS = Table(pl.DataFrame({"CARD": ["c1", None], "AGE": [7, None]}))
PARTS = (Selection(PRICES, np.array([1, 0, 1])), Selection(CARDS, np.array([0, 1, 1])))


def test_text_is_what_stands_in_a_file() -> None:
    file = io.BytesIO()
    join_text(PARTS).write_csv(file, quote_style="never")
    assert file.getvalue().decode().splitlines() == [
        "NAME,PRICE,CARD,AGE",
        "b,0.10,c1,7",
        "a,1234.05,,",
        "b,0.10,,",
    ]


def test_columns_stand_side_by_side() -> None:
    lines = join_columns(PARTS)
    assert lines.rows() == [("b", 0.1, "c1", 7), ("a", 1234.05, None, None), ("b", 0.1, None, None)]
    assert lines.columns == ["NAME", "PRICE", "CARD", "AGE"]


def test_every_amount_has_the_text_of_a_float_with_two_decimals() -> None:
    amounts = pl.DataFrame({"SPEND": np.arange(100_000) / 100})
    assert Table(amounts).text.to_list() == [f"{spend:.2f}" for spend in amounts["SPEND"]]
