"""What is proposed where names and values do not agree, or do not tell."""

from __future__ import annotations

import csv
import random
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from basketwise.config import Config
from basketwise.errors import BasketwiseError, InputError
from basketwise.proposal import Proposal, propose, settings_text
from basketwise.schema import LABEL
from tests.proposal import layouts

CLASSES = ("Low", "Medium", "High")


def rows() -> list[dict[str, Any]]:
    """Return lines whose columns all have clear names."""
    return [
        {
            "receipt_id": f"R{number:05d}",
            "sku": f"P{product:03d}",
            "amount": f"{quantity * layouts.price(product):.2f}",
            "qty": quantity,
            "date": f"{at:%Y-%m-%d}",
            "segment": CLASSES[number % 3],
        }
        for number, at, lines in layouts.orders()
        for product, quantity in lines
    ]


def proposed(tmp_path: Path, lines: list[dict[str, Any]]) -> Proposal:
    return propose(str(layouts.write_csv(tmp_path / "lines.csv", lines)))


def own(proposal: Proposal, ours: str) -> str | None:
    return next(("+".join(m.own) for m in proposal.matches if m.ours == ours), None)


def renamed(lines: list[dict[str, Any]], **names: str) -> list[dict[str, Any]]:
    return [{names.get(name, name): value for name, value in row.items()} for row in lines]


def test_clear_names_leave_no_question(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, rows())

    assert proposal.is_complete
    assert proposal.lines == len(rows())
    assert not proposal.rejected


def test_two_columns_that_fit_equally_are_a_question(tmp_path: Path) -> None:
    lines = [row | {"item_id": f"I{i % 37}"} for i, row in enumerate(rows())]

    proposal = proposed(tmp_path, lines)

    assert own(proposal, "PROD_CODE") is None
    assert "PROD_CODE" not in proposal.missing
    (question,) = proposal.questions
    assert "sku or item_id" in question.text or "item_id or sku" in question.text
    text = settings_text(proposal)
    assert '# PROD_CODE = "sku"' in text
    assert '# PROD_CODE = "item_id"' in text
    assert "PROD_CODE" not in tomllib.loads(text)["data"]["columns"]


def test_two_columns_that_say_the_same_are_no_question(tmp_path: Path) -> None:
    lines = [row | {"item_id": row["sku"].replace("P", "7")} for row in rows()]

    proposal = proposed(tmp_path, lines)

    assert own(proposal, "PROD_CODE") in ("sku", "item_id")
    assert proposal.is_complete


def test_a_column_of_the_right_name_with_gaps_yields_to_one_without(tmp_path: Path) -> None:
    lines = [row | {"item_id": f"I{i % 37}" if i % 2 else ""} for i, row in enumerate(rows())]

    assert own(proposed(tmp_path, lines), "PROD_CODE") == "sku"


def test_a_number_of_the_line_is_no_basket(tmp_path: Path) -> None:
    lines = [
        row | {"transaction_id": i} for i, row in enumerate(renamed(rows(), receipt_id="receipt"))
    ]

    assert own(proposed(tmp_path, lines), "BASKET_ID") == "receipt"


def test_the_total_of_a_basket_is_no_amount(tmp_path: Path) -> None:
    totals = {
        number: sum(n * layouts.price(p) for p, n in ls) for number, _, ls in layouts.orders()
    }
    lines = [
        row | {"amount": f"{totals[int(row['receipt_id'][1:])]:.2f}", "value": row["amount"]}
        for row in rows()
    ]

    assert own(proposed(tmp_path, lines), "SPEND") == "value"


@pytest.mark.parametrize("name", ["price", "Preis", "amount"])
def test_a_price_that_grows_with_the_quantity_is_the_amount(tmp_path: Path, name: str) -> None:
    proposal = proposed(tmp_path, renamed(rows(), amount=name))

    assert own(proposal, "SPEND") == name
    assert own(proposal, "UNIT_PRICE") is None


def test_a_price_that_does_not_is_of_a_unit(tmp_path: Path) -> None:
    lines = [row | {"amount": f"{layouts.price(int(row['sku'][1:])):.2f}"} for row in rows()]

    proposal = proposed(tmp_path, renamed(lines, amount="price"))

    assert own(proposal, "UNIT_PRICE") == "price"
    assert "SPEND" not in proposal.missing


def test_a_price_that_does_not_tell_is_a_question(tmp_path: Path) -> None:
    draw = random.Random(1)
    lines = [row | {"amount": f"{draw.uniform(1, 9):.2f}"} for row in rows()]

    proposal = proposed(tmp_path, renamed(lines, amount="price"))

    (question,) = proposal.questions
    assert "the price of a unit, or the amount of the line" in question.text
    assert question.choices == ('UNIT_PRICE = "price"', 'SPEND = "price"')


def test_dates_that_can_be_read_in_two_ways_are_a_question(tmp_path: Path) -> None:
    lines = [row | {"date": f"0{1 + i % 3}/0{1 + i % 7}/2025"} for i, row in enumerate(rows())]

    proposal = proposed(tmp_path, lines)

    (question,) = proposal.questions
    assert set(question.choices) == {'date_format = "%d/%m/%Y"', 'date_format = "%m/%d/%Y"'}


@pytest.mark.parametrize(
    ("first", "later", "date_format"),
    [
        ("01/02/2025", "28/02/2025", "%d/%m/%Y"),
        # Lines of one day read alike in both ways.
        ("01/01/2025", "01/28/2025", "%m/%d/%Y"),
        ("01/01/2025", "02/02/2025", "%d/%m/%Y"),
    ],
)
def test_a_later_file_decides_how_dates_are_written(
    tmp_path: Path, first: str, later: str, date_format: str
) -> None:
    early = [row | {"date": first} for row in rows()]
    late = [row | {"date": later} for row in rows()[:10]]
    # Far behind the lines that are looked at first.
    path = layouts.write_csv(tmp_path / "lines.csv", early + late)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("basketwise.proposal.first_lines.BUDGET", 1)
        patch.setattr("basketwise.proposal.first_lines.LEAST", 4_096)
        proposal = propose(str(path))

    assert "the first" in proposal.scope
    assert proposal.settings["data"]["date_format"] == date_format


def test_dates_of_several_formats_are_shown(tmp_path: Path) -> None:
    # More dates than are looked at, of which those in between tell, and contradict each other.
    dates = [f"{1 + n % 12:02d}/{1 + n // 12 % 12:02d}/{2000 + n // 144}" for n in range(700)]
    dates[601], dates[603] = "12/31/2025", "31/12/2025"
    receipts = [f"R{n:05d}" for n in range(len(dates))]
    bought = [[row for row in rows() if row["receipt_id"] == first] for first in receipts[:3]]
    lines = [
        row | {"receipt_id": receipt, "date": date, "sku": f"P{(n + m) % 40:03d}"}
        for n, (receipt, date) in enumerate(zip(receipts, dates, strict=True))
        for m, row in enumerate(bought[n % 3])
    ]

    proposal = proposed(tmp_path, lines)

    assert "date_format" not in proposal.settings["data"]
    assert not proposal.questions
    assert any("are written in several formats" in note for note in proposal.notes)


def test_labels_that_do_not_tell_are_lines_to_fill_in(tmp_path: Path) -> None:
    lines = [
        row | {"segment": {"Low": "A", "Medium": "B", "High": "Budget"}[row["segment"]]}
        for row in rows()
    ]

    proposal = proposed(tmp_path, lines)
    text = settings_text(proposal)

    (question,) = proposal.questions
    assert question.section == "data.labels"
    assert '# "A" = "?"  # 200 lines' in text
    assert '# "B" = "?"  # 200 lines' in text
    assert tomllib.loads(text)["data"]["labels"] == {"Budget": "High"}


def test_labels_of_wealth_are_asked_for(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, renamed(rows(), segment="affluence_class"))

    (question,) = proposal.questions
    assert "wealth" in question.text
    assert "labels" not in proposal.settings.get("data", {})


def test_all_labels_are_read_where_the_first_lines_lack_a_class(tmp_path: Path) -> None:
    lines = [
        row | {"segment": "mid" if i < 200 else "value" if i < 560 else "premium"}
        for i, row in enumerate(rows())
    ]
    path = layouts.write_csv(tmp_path / "lines.csv", lines)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("basketwise.proposal.first_lines.BUDGET", 1)
        patch.setattr("basketwise.proposal.first_lines.LEAST", 30 * 420)
        proposal = propose(str(path))

    assert proposal.settings["data"]["labels"] == {
        "mid": "Medium",
        "premium": "Low",
        "value": "High",
    }


def test_receipt_numbers_that_start_anew_are_joined_with_shop_and_day(tmp_path: Path) -> None:
    lines = []
    for number, at, products in layouts.orders():
        for shop in ("1", "2"):
            lines += [
                {
                    "store": shop,
                    "date": f"{at:%Y-%m-%d}",
                    "receipt_no": number % 5 + 1,
                    "sku": f"P{product:03d}",
                    "amount": f"{quantity * layouts.price(product):.2f}",
                    "qty": quantity,
                    "segment": CLASSES[number % 3],
                }
                for product, quantity in products
            ]

    proposal = proposed(tmp_path, lines)

    assert own(proposal, "BASKET_ID") == "store+date+receipt_no"
    assert own(proposal, "STORE_CODE") == "store"
    assert own(proposal, "SHOP_DATE") == "date"
    assert own(proposal, LABEL) == "segment"
    written = tomllib.loads(settings_text(proposal))
    assert written["data"]["columns"]["BASKET_ID"] == ["store", "date", "receipt_no"]
    assert proposal.is_complete
    assert not proposal.rejected


def test_weights_and_single_pieces_keep_repeated_lines(tmp_path: Path) -> None:
    lines = []
    for row in rows():
        weighed = row["sku"] < "P010"
        quantity = int(row["qty"])
        each = row | {"qty": "0.456" if weighed else "1"}
        lines += [each] if weighed else [each] * quantity

    proposal = proposed(tmp_path, lines)

    assert proposal.settings["etl"]["duplicates"] == "pieces"
    assert not proposal.rejected


def test_repeated_lines_of_several_pieces_are_told_of(tmp_path: Path) -> None:
    lines = rows()

    proposal = proposed(tmp_path, [*lines, lines[0]])

    assert "duplicates" not in proposal.settings.get("etl", {})
    assert any("rejected as copies" in note for note in proposal.notes)
    assert proposal.rejected == {"duplicate_line": 1}


def test_returns_in_the_same_basket_are_netted(tmp_path: Path) -> None:
    lines = rows()
    back = [row | {"qty": -1, "amount": f"-{row['amount']}"} for row in lines[:: 4 * 10]]

    proposal = proposed(tmp_path, lines + back)

    assert proposal.settings["etl"]["returns"] == "net"


def test_codes_may_be_names(tmp_path: Path) -> None:
    lines = [row | {"sku": f"Coffee {row['sku']}"} for row in rows()]

    proposal = proposed(tmp_path, renamed(lines, sku="Description"))

    assert own(proposal, "PROD_CODE") == "Description"


def test_levels_are_ordered_by_how_many_groups_they_have(tmp_path: Path) -> None:
    lines = [
        row
        | {"department": f"D{int(row['sku'][1:]) % 2}", "category": f"C{int(row['sku'][1:]) % 8}"}
        for row in rows()
    ]

    proposal = proposed(tmp_path, lines)

    assert own(proposal, "PROD_CODE_10") == "category"
    assert own(proposal, "PROD_CODE_20") == "department"


def test_without_dates_the_split_is_by_customer_or_random(tmp_path: Path) -> None:
    undated = [{name: value for name, value in row.items() if name != "date"} for row in rows()]
    known = [row | {"customer_id": f"c{int(row['receipt_id'][1:]) % 30}"} for row in undated]

    assert proposed(tmp_path, undated).settings["split"]["strategy"] == "stratified"
    assert proposed(tmp_path, known).settings["split"]["strategy"] == "customer"


def test_lists_are_not_read(tmp_path: Path) -> None:
    frame = pl.DataFrame(rows()).with_columns(pl.col("qty").cast(pl.Float64))
    frame.with_columns(tags=pl.concat_list("sku")).write_parquet(tmp_path / "lines.parquet")

    proposal = propose(str(tmp_path / "lines.parquet"))

    assert proposal.is_complete
    assert proposal.unused == ["tags"]


def test_files_without_lines(tmp_path: Path) -> None:
    (tmp_path / "lines.csv").write_text("receipt_id,sku\n")

    with pytest.raises(InputError, match="contains no lines"):
        propose(str(tmp_path / "lines.csv"))


def test_names_and_values_that_toml_could_misread(tmp_path: Path) -> None:
    odd = 'a "quoted" \\ name #1'
    lines = renamed(rows(), segment=odd)

    proposal = proposed(tmp_path, lines)
    config = Config.model_validate(tomllib.loads(settings_text(proposal)))

    assert config.data.columns[LABEL] == odd


def test_a_file_of_another_kind_is_named_and_left_out(tmp_path: Path) -> None:
    layouts.write_csv(tmp_path / "lines.csv", rows())
    products = [{"sku": f"P{number:03d}", "supplier": "x", "shelf": number} for number in range(40)]
    layouts.write_csv(tmp_path / "products.csv", products)

    proposal = propose(str(tmp_path))

    assert own(proposal, "BASKET_ID") == "receipt_id"
    assert any("products.csv" in note for note in proposal.notes)


@pytest.mark.parametrize("seed", range(40))
def test_odd_tables_end_with_a_proposal_or_a_documented_error(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    names = ["id", "name", "date", "price", "qty", "amount", "segment", "store", "time", "", "x\ny"]
    names += [
        "order",
        "order",
        "Customer",
        "week",
        "category",
        "currency",
        "BASKET_ID",
        "SHOP_HOUR",
    ]
    values = ["", " ", "NULL", "1", "0", "-3", "1,5", "1.234", "$2", "2025-01-06", "01/02/2025"]
    values += ["x", "é", "#1", "12:30", "202501", "High", "9" * 30, "1e400", "NaN", "a;b", "\n"]
    header = draw.choices(names, k=draw.randint(1, 9))
    path = tmp_path / "odd.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for _ in range(draw.choice((1, 2, 30))):
            few = draw.sample(values, draw.choice((1, 3, len(values))))
            writer.writerow(draw.choices(few, k=len(header)))

    try:
        text = settings_text(propose(str(path)))
    except BasketwiseError:
        return
    Config.model_validate(tomllib.loads(text))


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Binary])
def test_text_is_recognised_however_it_is_stored(tmp_path: Path, dtype: type[pl.DataType]) -> None:
    lines = pl.DataFrame(rows()).select(pl.col(pl.String).cast(dtype), pl.col("qty"))
    lines.with_columns(picture=pl.lit(b"\xff")).write_parquet(tmp_path / "lines.parquet")

    proposal = propose(str(tmp_path / "lines.parquet"))

    assert proposal.is_complete
    assert own(proposal, "SPEND") == "amount"
