"""Whether High products are the cheap ones of their group."""

import numpy as np
import polars as pl
import pytest

from basketwise.evaluation.face_validity import face_validity

SIZE = 10


def index(order: str, *, groups: int = 40, baskets: int = 50, seed: int = 2) -> pl.DataFrame:
    """Make groups of ten products; High are the cheap ones, the dear ones, or any."""
    rng = np.random.default_rng(seed)
    number = np.repeat(np.arange(groups), SIZE)
    rank = np.tile(np.arange(SIZE), groups)
    chance = {"cheap": rank, "dear": SIZE - rank, "any": rng.permuted(rank)}[order]
    label = np.where(chance + rng.normal(0, 2, rank.size) < SIZE / 2, "High", "Low")
    label[rng.random(rank.size) < 0.2] = "Medium"
    table = pl.DataFrame(
        {
            "PROD_CODE": [f"P{n:05}" for n in range(rank.size)],
            "PROD_CODE_10": [f"G{n:03}" for n in number],
            "unit_price": (1 + rank + 20 * rng.random(groups)[number]).astype(np.float32),
            "class": label,
            "baskets": np.full(rank.size, baskets, dtype=np.uint32),
        }
    )
    return table.with_columns(pl.lit(None, pl.String).alias(f"PROD_CODE_{n}0") for n in (2, 3, 4))


@pytest.mark.parametrize(("order", "answer"), [("cheap", "yes"), ("dear", "no"), ("any", "no")])
def test_ranks_within_the_group_answer(order: str, answer: str) -> None:
    result = face_validity(index(order), 0.95)
    assert result["answer"] == answer
    high, low, difference = result["high_rank"], result["low_rank"], result["difference"]
    assert high is not None
    assert low is not None
    assert difference is not None
    assert difference["estimate"] == pytest.approx(high - low)
    assert difference["low"] < difference["estimate"] < difference["high"]
    assert result["groups"] == 40
    assert 100 < result["high_products"] < 200


def test_the_interval_covers_what_is_true() -> None:
    inside = 0
    for seed in range(100):
        difference = face_validity(index("any", groups=12, seed=seed), 0.9)["difference"]
        assert difference is not None
        inside += difference["low"] <= 0 <= difference["high"]
    assert 82 <= inside <= 97


@pytest.mark.parametrize(
    "few",
    [
        index("cheap", baskets=19),
        index("cheap", groups=4),
        index("cheap").with_columns(pl.lit(None, pl.Float32).alias("unit_price")),
        index("cheap").with_columns(pl.lit(None, pl.String).alias("PROD_CODE_10")),
        index("cheap").filter(pl.col("class") != "Low"),
    ],
)
def test_too_little_to_see_tells_nothing(few: pl.DataFrame) -> None:
    result = face_validity(few, 0.95)
    assert (result["answer"], result["difference"]) == ("unknown", None)
    assert result["text"].startswith("Can't tell")


def test_a_wide_interval_tells_nothing() -> None:
    result = face_validity(index("any", groups=5, seed=3), 0.95)
    assert result["answer"] == "unknown"
    assert result["difference"] is not None
