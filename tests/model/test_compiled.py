"""Few lines scored without frames: the same to the last bit, or left to the frames."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketwise.config import ModelName
from basketwise.errors import InputError
from basketwise.etl.lines.accepting import clean_table
from basketwise.etl.lines.rules import Rules
from basketwise.model.archive import load_model_archive
from basketwise.model.compiled.answering import LINES
from basketwise.model.compiled.plain import NotPlainError, read
from basketwise.model.scoring import Model
from basketwise.sampling import generate
from basketwise.schema import HIERARCHY, PROD_CODE
from basketwise.training.examples import read_examples
from basketwise.training.fitting import fit
from tests.etl.running import Run
from tests.evaluation.running import CONFIG, Evaluated
from tests.model.comparing import Rows, as_text, compare, watched

Row = dict[str, Any]

FROZEN = Path(__file__).parents[1] / "artifact/frozen/model-format-1.tar.gz"


@pytest.fixture(scope="module")
def model(evaluated: Evaluated) -> Model:
    return load_model_archive(evaluated.archive)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Raw lines like those of the training, and some of products that it did not have."""
    folder = tmp_path_factory.mktemp("lines")
    generate(folder, baskets=80, seed=8, weeks=2)
    drawn = pl.concat(pl.read_csv(path) for path in sorted(folder.glob("*.csv*")))
    new = pl.int_range(pl.len()) % 7 == 0
    code = pl.when(new).then("NEW" + pl.col(PROD_CODE)).otherwise(PROD_CODE)
    return drawn.with_columns(code.alias(PROD_CODE))


def baskets(lines: pl.DataFrame) -> Iterator[list[Row]]:
    for _, basket in lines.group_by("BASKET_ID", maintain_order=True):
        yield basket.to_dicts()


VARIANTS: dict[str, dict[str, Any]] = {
    "as trained": {},
    "outliers dropped": {"outliers": {"treatment": "drop", "threshold": 2.5}},
    "outliers kept": {"outliers": {"treatment": "keep"}},
    "outliers clipped low": {"outliers": {"threshold": 1.25}},
    "copies kept": {"rules": {"duplicates": "keep"}},
    "copies rejected": {"rules": {"duplicates": "reject"}},
    "pieces": {"rules": {"duplicates": "pieces"}},
    "returns kept": {"rules": {"returns": "keep"}},
    "returns netted": {"rules": {"returns": "net"}},
    "decimal commas": {"rules": {"decimal": ","}},
    "both decimal marks": {"rules": {"decimal": ".,"}},
    "own names": {"rules": {"columns": {"SPEND": "amount", "STORE_REGION": "area"}}},
    "no index": {"groups": ["basket", "season"]},
    "no basket": {"groups": ["posterior", "price"]},
}


@pytest.mark.parametrize("variant", ["as trained", "outliers dropped", "no index"])
def test_ordinary_baskets_are_answered_as_frames_are(
    model: Model, lines: pl.DataFrame, variant: str
) -> None:
    watching = watched(model, **VARIANTS[variant])
    answered = 0
    for rows in baskets(lines):
        for given_rows in (rows, as_text(rows)):
            answered += compare(watching, given_rows) is not None
    dropped = variant == "outliers dropped"
    assert dropped or answered == 2 * lines["BASKET_ID"].n_unique()


def test_so_are_several_baskets_at_once(model: Model, lines: pl.DataFrame) -> None:
    watching = watched(model)
    for start in range(0, lines.height, LINES):
        rows = lines[start : start + LINES].sample(fraction=1.0, shuffle=True, seed=1).to_dicts()
        answer = compare(watching, rows)
        assert answer is not None
        assert len(answer.baskets) > 1


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 64, 127, 128, 129, 255, 256, 257, LINES])
def test_so_are_baskets_of_any_size(model: Model, lines: pl.DataFrame, size: int) -> None:
    watching = watched(model)
    first = lines.unique(PROD_CODE, maintain_order=True)
    row, known = first.row(0, named=True), first[PROD_CODE].to_list()
    basket = [
        row
        | {"SPEND": (7 * n % 311 + 1) / 30, "QUANTITY": n % 3 + 1.1}
        | {PROD_CODE: known[n] if n < len(known) else f"{known[n % 9]}-{n}"}
        for n in range(size)
    ]
    assert compare(watching, basket) is not None


@pytest.mark.parametrize("name", CONFIG.training.models)
def test_every_candidate_gives_the_same_probabilities(
    model: Model, lines: pl.DataFrame, sample_run: Run, name: ModelName
) -> None:
    columns = model.metadata.feature_columns
    train = read_examples(sample_run.gold / "train_features.parquet", columns)
    estimator = fit(name, train, CONFIG.training).model
    fitted = Model(estimator, model.calibration, model.metadata, model.lookup)
    for rows in list(baskets(lines))[:40]:
        assert compare(fitted, rows) is not None
    assert compare(fitted, lines.head(LINES).to_dicts()) is not None


def test_so_do_trained_models_of_now_and_then(model: Model, lines: pl.DataFrame) -> None:
    for scorer in (model, load_model_archive(FROZEN)):
        for rows in list(baskets(lines))[:100]:
            assert compare(scorer, rows) is not None


ODD: tuple[Any, ...] = (
    None, "", " ", "NULL", "null", "nUlL", "NaN", "\\N", " A", "A ", "Ä", "é ", "\u00a0x", "٣",
    "１",
    "1,5", "1.234", "1.5", "12.50", "0.125", "1e3", "1E+15", "9.94E+14", "123.0", "-1", "+1", "-0",
    "007", "0012", "1_000", "(2.50)", "£3", "20060230", "2006-04-10", "13:30", "Mon", "x" * 150,
    "\ud800",
    "9" * 18, "9" * 25, "1.", ".5", "0", "0.0", "1.10", "99999999999999.99", "A", "PRD1",
    0, 1, 2, -1, 7, 25, 99, 100, 1330, 200601, 200654, 200655, 189901, 300001, 20060410,
    2**31 - 1, 2**31, -(2**31), 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**70, 10**40, 10**400,
    0.0, -0.0, 1.0, 2.5, 0.1, -2.5, 1e-320, 1e30, 1.1e30, 1e308, math.nan, math.inf, -math.inf,
    True, b"x", [1],
)  # fmt: skip

COLUMN_NAMES = (
    "BASKET_ID", PROD_CODE, "SPEND", "QUANTITY", "SHOP_WEEK", "SHOP_DATE", "SHOP_WEEKDAY",
    "SHOP_HOUR", *HIERARCHY, "STORE_FORMAT", "STORE_REGION", "STORE_CODE", "CUST_CODE",
    "BASKET_PRICE_SENSITIVITY", "PROD_NAME", "UNIT_PRICE", "amount", "area", "colour",
)  # fmt: skip


@st.composite
def raw_lines(draw: st.DrawFn, lines: pl.DataFrame) -> list[Row]:
    """Draw lines of some baskets, of which a few values are odd, and some columns absent."""
    start = draw(st.integers(0, lines.height - 40))
    rows: list[Row] = lines[start : start + draw(st.integers(1, 25))].to_dicts()
    if draw(st.booleans()):
        rows = [dict(row) for row in as_text(rows)]
    for name in draw(st.lists(st.sampled_from(COLUMN_NAMES), max_size=2)):
        for row in rows:
            row.pop(name, None)
    row_number = st.integers(0, len(rows) - 1)
    for number in draw(st.lists(row_number, max_size=3)):
        rows.append(dict(rows[number]))
    odd = st.tuples(row_number, st.sampled_from(COLUMN_NAMES), st.sampled_from(ODD))
    for number, name, value in draw(st.lists(odd, max_size=3)):
        whole = draw(st.booleans())
        for row in rows if whole else rows[number : number + 1]:
            row[name] = value
    if draw(st.booleans()):
        # Money and weights of any size.
        amounts = st.floats(0.001, 1e6) | st.integers(1, 99) | st.decimals(0, 99, places=2)
        for row in rows:
            for name in ("SPEND", "QUANTITY"):
                value = draw(amounts)
                row[name] = value if isinstance(value, int | float) else float(value)
    return draw(st.permutations(rows))


@pytest.mark.parametrize("variant", VARIANTS)
def test_whatever_the_lines_an_answer_is_that_of_the_frames(
    model: Model, lines: pl.DataFrame, variant: str
) -> None:
    watching = watched(model, **VARIANTS[variant])
    answered = 0

    @settings(max_examples=25)
    @given(raw_lines(lines))
    def check(rows: Rows) -> None:
        nonlocal answered
        answered += compare(watching, rows) is not None

    check()
    assert answered > (0 if variant in ("own names", "decimal commas") else 4)


PLAIN: Row = {
    "BASKET_ID": "1",
    PROD_CODE: "PRD0900001",
    "SPEND": "1.5",
    "QUANTITY": 1,
    "SHOP_WEEK": 200607,
    "SHOP_HOUR": "9",
    "STORE_REGION": "E01",
}


@pytest.mark.parametrize(
    "changes",
    [
        {PROD_CODE: " PRD0900001"},
        {PROD_CODE: "null"},
        {PROD_CODE: 1.0},
        {"BASKET_ID": 1.0},
        {"BASKET_ID": "1.0"},
        {"BASKET_ID": "9.94E+14"},
        {"SPEND": "1,5"},
        {"SPEND": "1e3"},
        {"SPEND": math.nan},
        {"SPEND": 10**400},
        {"SPEND": -0.0},
        {"SPEND": True},
        {"SPEND": None},
        {"SHOP_WEEK": 200607.0},
        {"SHOP_HOUR": "13:30"},
        {"SHOP_HOUR": 1330},
        {"SHOP_HOUR": "0012"},
        {"SHOP_DATE": "2006-04-10", "SHOP_WEEKDAY": 2},
        {"SHOP_DATE": 20060410},
        {"UNIT_PRICE": 1.5},
        {" SPEND": 1.5},
        {"colour": [1]},
        {"colour": "\ud800"},
        {3: 1},
        {"x" * 5_000: 1},
        {f"x{number}": 1 for number in range(100)},
        {"Größe": 1},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_what_is_not_plain_is_left_to_frames(model: Model, changes: Row) -> None:
    assert model.compiled is not None
    assert model.compiled.score([PLAIN]) is not None
    assert model.compiled.score([PLAIN | changes]) is None


def test_so_is_nan_among_text_which_is_no_word_for_a_missing_value() -> None:
    rows = [PLAIN, PLAIN | {PROD_CODE: math.nan}]
    with pytest.raises(NotPlainError):
        read(rows, Rules(missing=()))
    cleaned = clean_table(rows, Rules(missing=()))
    assert cleaned.reasons == {"missing_prod_code": 1}


def test_so_are_tables_that_frames_refuse(model: Model) -> None:
    scorer: Any = model.compiled
    assert scorer.score([]) is None
    assert scorer.score([PLAIN, 3]) is None
    assert scorer.score([{name: PLAIN[name] for name in ("BASKET_ID", "SPEND")}]) is None
    assert scorer.score([PLAIN] * (LINES + 1)) is None
    other_week = PLAIN | {"SHOP_WEEK": 200608, PROD_CODE: "PRD0900002"}
    assert scorer.score([PLAIN, other_week]) is None


def test_a_model_with_a_history_is_not_compiled(model: Model) -> None:
    groups = [*model.groups, "customer"]
    metadata = model.metadata.model_copy(update={"groups": groups})
    assert Model(model.estimator, model.calibration, metadata, model.lookup).compiled is None


def test_rejected_lines_come_with_their_reasons(model: Model) -> None:
    rows = [
        PLAIN,
        PLAIN | {"QUANTITY": 0},
        PLAIN | {PROD_CODE: None},
        PLAIN | {"SPEND": "-1.5"},
        PLAIN | {"BASKET_ID": "2", "SHOP_WEEK": 200699},
        PLAIN | {"QUANTITY": 2},
        PLAIN | {"QUANTITY": 2},
    ]
    answer = compare(watched(model), rows)
    assert answer is not None
    assert answer.accepted == 2
    assert answer.reasons == {
        "duplicate_line": 1,
        "missing_prod_code": 1,
        "quantity_not_positive": 1,
        "shop_week_not_yyyyww": 1,
        "spend_negative": 1,
    }
    assert answer.rejected[-1] == (7, "1", "duplicate_line")
    assert answer.rows() == answer.table().to_dicts()


def test_callers_get_the_same_tables_and_warnings_either_way(model: Model) -> None:
    rows = [PLAIN, PLAIN | {"QUANTITY": 0}, PLAIN | {PROD_CODE: "NEW1", "BASKET_ID": "2"}]
    frame = pl.DataFrame(rows)
    for method in (model.predict, model.predict_proba):
        results, told = [], []
        for lines in (rows, frame):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                results.append(method(lines))
            told.append([(str(warning.message), warning.filename) for warning in caught])
        assert results[0].equals(results[1])
        assert results[0].schema == results[1].schema
        assert told[0] == told[1]
        assert len(told[0]) == 2
        assert {filename for _, filename in told[0]} == {__file__}


def test_where_no_line_can_be_used_the_error_is_that_of_frames(model: Model) -> None:
    with pytest.raises(InputError, match="None of the 1 lines can be used: 1 spend_negative"):
        model.predict([PLAIN | {"SPEND": -1.5}])
