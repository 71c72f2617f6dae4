from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketwise.etl.lines.cleaning import DISAGREE, contradictions
from basketwise.etl.silver.chunks import read_chunks, weeks
from basketwise.etl.silver.survey import LABELS
from basketwise.schema import BASKET_ID, LABEL, SHOP_WEEK
from tests.etl.running import run_intake
from tests.raw_lines import line, write_csv


def baskets(*rows: tuple[str, int, str | None, bool]) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema={BASKET_ID: pl.String, SHOP_WEEK: pl.Int32, LABEL: LABELS, DISAGREE: pl.Boolean},
        orient="row",
    )


def test_baskets_that_contradict_themselves() -> None:
    result = contradictions(
        baskets(
            ("fine", 1, "Low", False),
            ("fine, in two files", 1, "Low", False),
            ("fine, in two files", 1, "Low", False),
            ("labels", 1, "Low", True),
            ("labels, in two files", 1, "Low", False),
            ("labels, in two files", 1, "High", False),
            ("weeks", 1, "Low", False),
            ("weeks", 2, "Low", False),
            ("both", 1, "Low", False),
            ("both", 2, "High", False),
            ("unlabelled", 1, None, False),
            ("unlabelled", 1, None, False),
            ("unlabelled, weeks", 1, None, False),
            ("unlabelled, weeks", 2, None, False),
        )
    )
    assert dict(result.iter_rows()) == {
        "both": "basket_labels_disagree",
        "labels": "basket_labels_disagree",
        "labels, in two files": "basket_labels_disagree",
        "unlabelled, weeks": "basket_in_two_weeks",
        "weeks": "basket_in_two_weeks",
    }


@pytest.fixture(scope="module")
def silver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("weeks")
    for week, lines in ((200607, 3), (200608, 2), (200652, 5), (200701, 1)):
        named = [
            line(BASKET_ID=str(week), SHOP_WEEK=str(week), PROD_CODE=f"PRD{number}")
            for number in range(lines)
        ]
        write_csv(root / "raw" / f"{week}.csv", named)
    run_intake(root / "raw", root / "out")
    return root / "out" / "silver"


def test_partitions_are_listed_in_order_without_the_refused_lines(silver: Path) -> None:
    assert [week for week, _ in weeks(silver)] == [200607, 200608, 200652, 200701]
    assert (silver / "_rejected").is_dir()


@pytest.mark.parametrize(
    ("lines", "chunks"),
    [
        (100, [(200607, 200608, 200652, 200701)]),
        (5, [(200607, 200608), (200652,), (200701,)]),
        (1, [(200607,), (200608,), (200652,), (200701,)]),
    ],
)
def test_chunks_hold_whole_weeks(silver: Path, lines: int, chunks: list[tuple[int, ...]]) -> None:
    read = list(read_chunks(silver, lines=lines))
    assert [chunk.weeks for chunk in read] == chunks
    for chunk in read:
        assert set(chunk.lines[SHOP_WEEK]) == set(chunk.weeks)
    assert sum(chunk.lines.height for chunk in read) == 11


@given(st.integers(1, 20))
def test_any_cut_into_chunks_gives_the_same_lines(silver: Path, lines: int) -> None:
    columns = [BASKET_ID, "PROD_CODE"]
    whole = pl.concat(chunk.lines for chunk in read_chunks(silver, columns))
    cut = pl.concat(chunk.lines for chunk in read_chunks(silver, columns, lines=lines))
    assert cut.equals(whole)
    assert cut.columns == columns
