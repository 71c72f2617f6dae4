from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from basketwise.config import Config
from basketwise.errors import InputError
from basketwise.etl.raw.discovery import discover
from basketwise.etl.raw.sources import open_bytes
from basketwise.model.scoring import Model
from basketwise.schema import LABEL
from basketwise.serving.batch import predict
from basketwise.serving.http.answers import answer
from basketwise.serving.http.baskets import read_request
from basketwise.serving.http.served import Served
from tests.etl.running import quiet

JSON, CSV = "application/json", "text/csv"
LINE: dict[str, Any] = {"PROD_CODE": "PRD1", "SPEND": 1.5, "QUANTITY": 1}
Document = dict[str, Any]


def raw_lines(sample: Path, baskets: int) -> pl.DataFrame:
    """The first baskets of the sample's first file, every value as text."""
    with open_bytes(discover(str(sample))[0]) as stream:
        lines = pl.read_csv(stream.read(), infer_schema=False)
    some = lines["BASKET_ID"].unique(maintain_order=True)[:baskets]
    return lines.filter(pl.col("BASKET_ID").is_in(some.implode()))


def as_json(lines: pl.DataFrame) -> bytes:
    numbers = lines.with_columns(
        pl.col("SPEND").cast(pl.Float64), pl.col("QUANTITY", "SHOP_WEEK").cast(pl.Int64)
    )
    groups = numbers.drop(LABEL).partition_by("BASKET_ID", maintain_order=True, as_dict=True)
    baskets = [
        {"basket_id": basket, "lines": group.drop("BASKET_ID").to_dicts()}
        for (basket,), group in groups.items()
    ]
    return json.dumps({"baskets": baskets}).encode()


def body(*baskets: Any) -> bytes:
    return json.dumps({"baskets": list(baskets)}).encode()


def answered(sent: bytes, scorer: Model, kind: str = JSON) -> Document:
    return answer(read_request(sent, kind), Served(scorer)).document()


@pytest.mark.parametrize("kind", [JSON, CSV])
def test_a_server_answers_what_a_batch_does(
    sample: Path, tmp_path: Path, scorer: Model, kind: str
) -> None:
    lines = raw_lines(sample, 200)
    lines.write_csv(tmp_path / "raw.csv")
    predict(str(tmp_path / "raw.csv"), tmp_path / "out.parquet", scorer, Config(), quiet)
    batch = pl.read_parquet(tmp_path / "out.parquet").with_columns(
        pl.col("basket_id").cast(pl.String)
    )
    sent = as_json(lines) if kind == JSON else lines.write_csv().encode()
    served = pl.DataFrame(answered(sent, scorer, kind)["predictions"]).select(batch.columns)
    assert served.height == 200
    assert served.sort("basket_id").equals(batch.sort("basket_id"))


def test_answers_come_in_the_order_and_with_the_ids_that_were_sent(scorer: Model) -> None:
    ids = [994100100000002, "000017", "A-3", 5]
    result = answered(body(*({"basket_id": key, "lines": [LINE]} for key in ids)), scorer)
    assert [item["basket_id"] for item in result["predictions"]] == ids
    for item in result["predictions"]:
        assert item["predicted_sensitivity"] in ("Low", "Medium", "High")
        assert item["p_low"] + item["p_medium"] + item["p_high"] == pytest.approx(1)
    assert result["unscored"] == []
    assert result["rejected"] == {}


def test_refused_lines_are_counted_and_their_baskets_named(scorer: Model) -> None:
    result = answered(
        body(
            {"basket_id": "1", "lines": [LINE, LINE, LINE | {"PROD_CODE": "PRD2"}]},
            {"basket_id": "2", "lines": [LINE | {"SPEND": "free"}]},
        ),
        scorer,
    )
    assert [item["basket_id"] for item in result["predictions"]] == ["1"]
    assert result["unscored"] == ["2"]
    assert result["rejected"] == {"duplicate_line": 1, "spend_not_a_number": 1}
    assert result["incomplete"] == ["1"]


def test_blanks_around_an_id_do_not_cost_its_prediction(scorer: Model) -> None:
    result = answered(body({"basket_id": " A 1 ", "lines": [LINE, LINE]}), scorer)
    assert [item["basket_id"] for item in result["predictions"]] == [" A 1 "]
    assert (result["incomplete"], result["unscored"]) == ([" A 1 "], [])


@pytest.mark.parametrize("kind", [JSON, CSV])
def test_a_server_counts_what_the_model_does_not_know_as_a_batch_does(
    sample: Path, tmp_path: Path, scorer: Model, kind: str
) -> None:
    lines = raw_lines(sample, 20).with_row_index("nth")
    spoiled, renamed = pl.col("nth") % 7 == 0, pl.col("nth") % 5 == 1
    lines = lines.with_columns(
        pl.when(spoiled).then(pl.lit("0")).otherwise("QUANTITY").alias("QUANTITY"),
        pl.when(renamed).then(pl.lit("NEW1")).otherwise("PROD_CODE").alias("PROD_CODE"),
        pl.lit("ZZ9").alias("STORE_REGION"),
    ).drop("nth")
    lines.write_csv(tmp_path / "raw.csv")
    batch = predict(str(tmp_path / "raw.csv"), tmp_path / "out.parquet", scorer, Config(), quiet)
    sent = as_json(lines) if kind == JSON else lines.write_csv().encode()
    result = answered(sent, scorer, kind)
    assert result["unseen"] == batch.unseen.document()
    assert result["unseen"]["lines"] > 0
    assert result["unseen"]["stores"]["STORE_REGION"] == ["ZZ9"]
    assert len(result["incomplete"]) == batch.incomplete > 0
    assert result["rejected"] == batch.rejected


def test_columns_are_matched_without_regard_to_case_and_others_ignored(scorer: Model) -> None:
    lower = {name.lower(): value for name, value in LINE.items()}
    odd = lower | {"basket_id": "1", "colour": [1], LABEL.lower(): {"not": "looked at"}}
    plain = answered(body({"basket_id": "1", "lines": [LINE]}), scorer)
    assert answered(body({"basket_id": "1", "lines": [odd]}), scorer) == plain


GOOD = {"basket_id": "1", "lines": [LINE]}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "list of 'baskets'"),
        (b"{}", "list of 'baskets'"),
        (b'{"baskets": {}}', "list of 'baskets'"),
        (body(), "list of 'baskets'"),
        (body(3), "Basket 1 has no 'basket_id'"),
        (body(GOOD, {"lines": [LINE]}), "Basket 2 has no 'basket_id'"),
        (body({"basket_id": True, "lines": [LINE]}), "Basket 1 has no 'basket_id'"),
        (body({"basket_id": 1.0, "lines": [LINE]}), "Basket 1 has no 'basket_id'"),
        (body({"basket_id": " ", "lines": [LINE]}), "Basket 1 has no 'basket_id'"),
        (body(GOOD, {"basket_id": 1, "lines": [LINE]}), "same id as an earlier one: 1"),
        (body({"basket_id": "1"}), "no list of 'lines'"),
        (body({"basket_id": "1", "lines": []}), "no list of 'lines'"),
        (body({"basket_id": "1", "lines": [LINE, 4]}), "Line 2 of basket 1 ('1') is not an object"),
        (
            body({"basket_id": "1", "lines": [LINE | {"SPEND": [1]}]}),
            "SPEND is neither a text nor a number",
        ),
        (body({"basket_id": "1", "lines": [LINE | {"spend": 2}]}), "SPEND more than once"),
        (body({"basket_id": "1", "lines": [LINE | {"BASKET_ID": "2"}]}), "another BASKET_ID"),
        (body({"basket_id": "1", "lines": [{"SPEND": 1}]}), "PROD_CODE, QUANTITY"),
        (body({"basket_id": "9.94E+14", "lines": [LINE]}), "spreadsheet damage"),
        (body({"basket_id": "1", "lines": [LINE | {"QUANTITY": 0}]}), "None of the 1 lines"),
        (body({"basket_id": "\ud800", "lines": [LINE]}), "not Unicode"),
    ],
)
def test_malformed_json_is_refused_with_the_reason(
    scorer: Model, sent: bytes, expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        answered(sent, scorer)
    assert expected in caught.value.headline
    assert "\n" not in caught.value.headline
    assert caught.value.hint


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", "is empty"),
        (b"BASKET_ID,PROD_CODE,SPEND,QUANTITY\n", "no lines"),
        (b"BASKET_ID,PROD_CODE,SPEND\n1,P,2\n", "QUANTITY"),
        (b"\xe9,\n", "not UTF-8"),
        (b"BASKET_ID,PROD_CODE,SPEND,QUANTITY\n1,P,2,1,7,8\n", "'body' has 6 fields"),
    ],
)
def test_malformed_csv_is_refused_with_the_reason(
    scorer: Model, sent: bytes, expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        answered(sent, scorer, CSV)
    assert expected in caught.value.headline


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-parquet", "application/json5", "csv"]
)
def test_other_types_are_refused(kind: str) -> None:
    with pytest.raises(InputError, match="is not supported"):
        read_request(b"x", kind)


def test_text_survives_quotes_separators_and_line_breaks(scorer: Model) -> None:
    odd = 'a;"b",\n c\td'
    result = answered(body({"basket_id": odd, "lines": [LINE | {"PROD_CODE": odd}]}), scorer)
    assert [item["basket_id"] for item in result["predictions"]] == [odd]


def test_numbers_beyond_single_precision_are_refused_with_the_reason(scorer: Model) -> None:
    lines = [{"PROD_CODE": "A", "SPEND": -1e308, "QUANTITY": 1}] * 2
    with pytest.raises(InputError, match="2 spend_too_large"):
        answered(body({"basket_id": "1", "lines": lines}), scorer)
