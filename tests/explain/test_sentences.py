from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import polars as pl
import pytest

from basketwise.etl.silver.chunks import read_chunks
from basketwise.explain.sentences import EXPLANATION, explain
from basketwise.features.product_index.lookup import IndexLookup
from basketwise.features.product_index.table import PRIORS, completed
from basketwise.features.recipe import features
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import Model
from basketwise.schema import BASKET_ID, CLASSES, HIERARCHY, PROD_CODE
from tests.etl.running import Run
from tests.evaluation.running import Evaluated

Product = tuple[str, int, str] | tuple[str, int, str, bool]
"""Code, lines, class, and whether it is new."""


def scored(predicted: str, p: float, basket: int | str = 1) -> pl.DataFrame:
    others = (1 - p) / 2
    return pl.DataFrame(
        {
            "basket_id": [basket],
            "predicted_sensitivity": [predicted],
            **{f"p_{label.lower()}": [p if label == predicted else others] for label in CLASSES},
        }
    )


def products(given: Sequence[Product], basket: int | str = 1) -> pl.DataFrame:
    rows = [(basket, *product, *([False] if len(product) == 3 else [])) for product in given]
    columns = ["basket_id", "prod_code", "lines", "class", "new"]
    table = pl.DataFrame(rows, columns, orient="row", strict=False)
    return table.with_columns(pl.lit(None, pl.String).alias("prod_name"))


def explanation(predicted: str, *given: Product, p: float = 0.98) -> str:
    """Return the explanation of one basket, for a model on products alone, without its start."""
    table = explain(scored(predicted, p), products(given), ["product"])
    lead, _, rest = table[EXPLANATION].item().partition("%). ")
    assert lead.startswith(f"{predicted} price sensitivity (")
    assert isinstance(rest, str)
    return rest


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            [("A", 2, "High"), ("B", 1, "High"), ("C", 1, "Low"), ("D", 1, "Medium")],
            "Of 5 informative lines, 3 point to High (A twice, B), 1 to Low (C), 1 to Medium (D). "
            "Balance High minus Low: (3 - 1) / 5 = +0.40.",
        ),
        (
            [("A", 3, "Low"), ("B", 1, "High"), ("X", 2, "Unclassified")],
            "Of 4 informative lines, 1 points to High (B), 3 to Low (A 3 times). "
            "Balance High minus Low: (1 - 3) / 4 = -0.50. 2 lines are uninformative.",
        ),
        (
            [("A", 3, "Low"), ("B", 2, "Medium")],
            "Of 5 informative lines, 3 point to Low (A 3 times), 2 to Medium (B twice), "
            "none to High. "
            "Balance High minus Low: (0 - 3) / 5 = -0.60.",
        ),
        (
            [("A", 1, "High"), ("X", 1, "Unclassified")],
            "The one informative line points to High (A). "
            "Balance High minus Low: (1 - 0) / 1 = +1.00. 1 line is uninformative.",
        ),
        (
            [("A", 1, "Low")],
            "The one informative line points to Low (A), not to High. "
            "Balance High minus Low: (0 - 1) / 1 = -1.00.",
        ),
        (
            [("A", 2, "High")],
            "Both informative lines point to High (A twice). "
            "Balance High minus Low: (2 - 0) / 2 = +1.00.",
        ),
        (
            [("A", 2, "Medium"), ("B", 1, "Medium")],
            "All 3 informative lines point to Medium (A twice, B), none to High. "
            "Balance High minus Low: (0 - 0) / 3 = 0.00.",
        ),
        (
            [("A", 1, "High"), ("B", 1, "Low")],
            "Of 2 informative lines, 1 points to High (A), 1 to Low (B). "
            "Balance High minus Low: (1 - 1) / 2 = 0.00.",
        ),
        ([("X", 1, "Unclassified")], "Its only line is uninformative."),
        (
            [("X", 2, "Unclassified"), ("Y", 1, "Unclassified")],
            "All its 3 lines are uninformative.",
        ),
    ],
)
def test_what_a_basket_of_high_is_reported(given: list[Product], expected: str) -> None:
    assert explanation("High", *given) == expected


def test_five_products_of_a_class_are_named_and_the_others_counted() -> None:
    many: list[Product] = [(f"A{n}", 1, "High") for n in range(5)]
    assert "(A0, A1, A2, A3, A4)." in explanation("High", *many)
    assert "(A0, A1, A2, A3, A4, 1 more)." in explanation("High", *many, ("A5", 1, "High"))
    more = [*many, *((f"B{n}", 1, "Low") for n in range(7))]
    assert "5 to Low" not in explanation("High", *more)
    assert "7 to Low (B0, B1, B2, B3, B4, 2 more)." in explanation("High", *more)


def test_new_products_are_marked_and_counted_where_they_point_somewhere() -> None:
    first = explanation(
        "High", ("A", 2, "High", True), ("B", 1, "High"), ("X", 1, "Unclassified", True)
    )
    assert "(A* twice, B)" in first
    assert first.endswith("1 product is new to the model and scored by its group (*).")
    two = explanation("High", ("A", 1, "High", True), ("B", 1, "Low", True))
    assert two.endswith("2 products are new to the model and scored by their group (*).")


@pytest.mark.parametrize(
    ("high", "low", "medium", "expected"),
    [
        (199, 0, 1, "(199 - 0) / 200 = +0.99."),
        (999, 0, 1, "(999 - 0) / 1000 = +0.99."),
        (0, 999, 1, "(0 - 999) / 1000 = -0.99."),
        (2, 1, 997, "(2 - 1) / 1000 = +0.01."),
        (2, 1, 0, "(2 - 1) / 3 = +0.33."),
        (21, 1, 178, "(21 - 1) / 200 = +0.10."),
    ],
)
def test_the_balance_is_rounded_neither_to_unanimity_nor_to_a_draw(
    high: int, low: int, medium: int, expected: str
) -> None:
    given = (("A", high, "High"), ("B", low, "Low"), ("C", medium, "Medium"))
    text = explanation("High", *(product for product in given if product[1]))
    assert f"Balance High minus Low: {expected}" in text


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.345, "34 %"),
        (0.984, "98 %"),
        (0.9949, "99 %"),
        (0.9951, "99.5 %"),
        (0.99951, "99.9 %"),
        (1 - 1e-12, "99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_probability_is_not_rounded_up_to_a_certainty(p: float, expected: str) -> None:
    table = explain(scored("High", p), products([("A", 1, "High")]), ["product"])
    assert table[EXPLANATION].item().startswith(f"High price sensitivity ({expected}). ")


def test_a_model_on_other_features_too_says_that_their_part_is_not_shown() -> None:
    own = products([("A", 1, "High")])
    (text,) = explain(scored("High", 0.9), own, ["basket", "product"])[EXPLANATION]
    assert text.endswith("The model also uses spend, time and store; their effect is not shown.")
    (text,) = explain(scored("High", 0.9), own, ["product"])[EXPLANATION]
    assert "spend" not in text


def test_a_model_without_the_index_says_so() -> None:
    (text,) = explain(scored("Low", 0.55), None, ["basket"])[EXPLANATION]
    assert text == "Low price sensitivity (55 %). This model does not use products."


@pytest.mark.parametrize("code", ["=1+1", "@cmd", "-2", "+3", '"quoted", and more'])
def test_no_code_comes_first_in_the_cell(code: str) -> None:
    table = explain(scored("High", 0.9), products([(code, 1, "High")]), ["product"])
    assert table[EXPLANATION].item().startswith("High price")
    assert f"({code})" in table[EXPLANATION].item()


def test_a_code_can_neither_move_the_cursor_nor_fill_the_page() -> None:
    text = explanation("High", ("A\x1b[2J\n\u202eB", 1, "High"), ("C" * 41, 1, "High"))
    assert f"(A?[2J??B, {'C' * 40}…)" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Whole milk, 1 l", '"Whole milk, 1 l"'),
        ('12" pizza (ham)', '"12\' pizza (ham)"'),
        ("A\x1b[2J\n\u202eB", '"A?[2J??B"'),
        ("N" * 41, f'"{"N" * 40}…"'),
    ],
)
def test_a_name_is_shown_in_quotes_beside_the_code(name: str, shown: str) -> None:
    own = products([("A", 2, "High", True)]).with_columns(pl.lit(name).alias("prod_name"))
    (text,) = explain(scored("High", 0.9), own, ["product"])[EXPLANATION]
    assert f"(A* {shown} twice)" in text


def test_rows_keep_their_order_and_columns() -> None:
    baskets = ["b", "a", "c"]
    table = pl.concat(scored("High", 0.9, basket) for basket in baskets)
    own = pl.concat(products([(f"P{basket}", 1, "High")], basket) for basket in sorted(baskets))
    result = explain(table, own, ["product"])
    assert result.drop(EXPLANATION).equals(table)
    assert [
        f"(P{basket})" in text for basket, text in zip(baskets, result[EXPLANATION], strict=True)
    ]


@pytest.mark.parametrize(
    ("groups", "used"),
    [
        (["product"], ""),
        (["basket", "product"], "spend, time and store; their"),
        (["product", "customer"], "the customer's earlier baskets; their"),
        (["basket", "product", "customer"], "store; and the customer's earlier baskets; their"),
    ],
)
def test_what_else_the_model_uses_is_named(groups: list[str], used: str) -> None:
    (text,) = explain(scored("High", 0.9), products([("P1", 1, "High")]), groups)[EXPLANATION]
    assert used in text
    assert ("The model also uses" in text) == bool(used)


@pytest.fixture(scope="module")
def scorer(evaluated: Evaluated) -> Model:
    return load_model_archive(evaluated.archive)


@pytest.fixture(scope="module")
def lines(sample_run: Run) -> pl.DataFrame:
    return next(read_chunks(sample_run.silver)).lines


def lines_to(label: str, text: str) -> int:
    """Read how many lines point to a class."""
    match = re.search(rf"(\d+|Both|one)( informative lines?)?( points?)? to {label} \(", text)
    words = {"Both": 2, "one": 1}
    return (words.get(match[1]) or int(match[1])) if match else 0


def test_the_numbers_in_the_text_are_the_features_of_the_basket(
    scorer: Model, lines: pl.DataFrame
) -> None:
    assert scorer.lookup is not None
    expected = features(lines, scorer.recipe, scorer.lookup.score)
    result, _ = scorer.score_and_explain(lines)
    assert result.height == expected.height > 1000
    for text, row in zip(result[EXPLANATION], expected.iter_rows(named=True), strict=True):
        for label in CLASSES:
            assert lines_to(label, text) == row[f"product_count_{label.lower()}"], text
        balance = re.search(r" = ([+-]?\d\.\d\d)\. ", text)
        assert float(balance[1] if balance else 0) == pytest.approx(
            row["product_balance"], abs=0.0051
        )
        silent = re.search(r"(\d+) lines? (?:is|are) uninformative|All its (\d+)|Its only", text)
        stated = int(silent[1] or silent[2] or 1) if silent else 0
        assert stated == row["product_count_unclassified"], text


def test_scores_are_those_of_the_scorer(scorer: Model, lines: pl.DataFrame) -> None:
    result, own = scorer.score_and_explain(lines)
    assert result.drop(EXPLANATION).equals(scorer.score(lines))
    assert result[EXPLANATION].null_count() == 0
    assert own is not None
    assert own["basket_id"].unique().sort().equals(result["basket_id"])


def test_a_basket_alone_reads_as_among_all(scorer: Model, lines: pl.DataFrame) -> None:
    whole, _ = scorer.score_and_explain(lines)
    some = whole["basket_id"].gather_every(100)
    result, own = scorer.score_and_explain(lines, [str(basket) for basket in some])
    assert result.equals(whole.filter(pl.col("basket_id").is_in(some.to_list())))
    assert own is not None
    assert own["basket_id"].unique().sort().equals(some)
    nothing, none = scorer.score_and_explain(lines, ["absent"])
    assert nothing.is_empty()
    assert nothing.schema == whole.schema
    assert none is not None
    assert none.is_empty()


def test_a_line_of_another_basket_says_nothing_of_this(scorer: Model, lines: pl.DataFrame) -> None:
    assert scorer.index is not None
    own = scorer.index.drop(PRIORS)
    grouped = completed(own.with_columns(("OF-" + pl.col("class")).alias(HIERARCHY[0])))
    grouping = replace(scorer, lookup=IndexLookup(grouped))
    first, second = lines[BASKET_ID].unique().sort()[:2].to_list()
    for label in CLASSES:
        new = pl.concat(lines.filter(pl.col(BASKET_ID) == b).head(1) for b in (first, second))
        new = new.with_columns(
            pl.lit("NEW").alias(PROD_CODE),
            *(pl.lit(None, pl.String).alias(level) for level in HIERARCHY[1:]),
            pl.when(pl.col(BASKET_ID) == second).then(pl.lit(f"OF-{label}")).alias(HIERARCHY[0]),
        )
        alone, among = (grouping.score_and_explain(some)[0] for some in (new.head(1), new))
        assert among.head(1).equals(alone)
        assert f"The one informative line points to {label} (NEW*)" in among[EXPLANATION][1]


def test_a_basket_of_dropped_outliers_alone_has_no_row(scorer: Model, lines: pl.DataFrame) -> None:
    outliers = scorer.metadata.outliers.model_copy(update={"treatment": "drop"})
    metadata = scorer.metadata.model_copy(update={"outliers": outliers})
    dropping = replace(scorer, metadata=metadata)
    result, _ = dropping.score_and_explain(lines.with_columns(pl.lit(1e6).alias("SPEND")))
    assert result.is_empty()
    assert result.columns[-1] == EXPLANATION
