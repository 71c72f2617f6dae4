"""JSON Lines and CSV, in and out."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from basketwise.errors import InputError
from basketwise.model.scoring import Model
from basketwise.serving.http import answers, scoring
from basketwise.serving.http.answers import Answer, answer
from basketwise.serving.http.baskets import Table, read_request
from basketwise.serving.http.bounds import Bounds, MalformedError, TooLargeError
from basketwise.serving.http.formats import COLUMNS, accepted, headers, written
from basketwise.serving.http.media_types import CSV, JSON, JSON_LINES, media_type
from basketwise.serving.http.served import Served

LINE: dict[str, Any] = {"PROD_CODE": "PRD0900001", "SPEND": 1.5, "QUANTITY": 1}


def basket(key: object, *lines: dict[str, Any]) -> dict[str, Any]:
    return {"basket_id": key, "lines": list(lines or (LINE,))}


def lines_of(*items: object) -> bytes:
    return "".join(
        f"{item if isinstance(item, str) else json.dumps(item)}\n" for item in items
    ).encode()


@pytest.fixture(scope="module")
def served(scorer: Model) -> Served:
    return Served(scorer, "7", "ab" * 32, "Approved")


def answered(body: bytes, served: Served, kind: str = JSON_LINES, **options: bool) -> Answer:
    return answer(read_request(body, kind), served, **options)


def outcomes(body: bytes, served: Served) -> list[dict[str, Any]]:
    text = written(answered(body, served), JSON_LINES)
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_is_answered_by_a_line_and_a_bad_one_spoils_itself_alone(served: Served) -> None:
    body = lines_of(
        basket(1),
        "{",
        "",
        basket("A", LINE, LINE | {"SPEND": "free"}),
        {"lines": [LINE]},
        basket("A"),
        basket("B", LINE | {"QUANTITY": 0}),
        '{"basket_id": "C", "lines": [{"PROD_CODE": "\\ud800", "SPEND": 1, "QUANTITY": 1}]}',
        basket("9.94E+14"),
        basket(5),
    )
    rows = outcomes(body, served)
    assert [row.get("basket_id") for row in rows] == [
        *(1, None, "A", None, "A", "B", "C", "9.94E+14", 5)
    ]
    assert [row.get("error") is None for row in rows] == [
        *(True, False, True, False, False, False, False, False, True)
    ]
    assert "Line 2 is not JSON" in rows[1]["error"]
    assert rows[2]["rejected_lines"] == [{"row": 2, "reason": "spend_not_a_number"}]
    assert "Line 5 has no 'basket_id'" in rows[3]["error"]
    assert "the same id as an earlier one: 'A'" in rows[4]["error"]
    assert "1 quantity_not_positive" in rows[5]["error"]
    assert rows[5]["rejected_lines"] == [{"row": 1, "reason": "quantity_not_positive"}]
    assert "not Unicode" in rows[6]["error"]
    assert "spreadsheet damage" in rows[7]["error"]
    assert all(row["model"] == {"version": "7", "sha256": "ab" * 32} for row in rows)
    assert all(row["hint"] for row in rows if "error" in row)


def test_the_same_basket_gets_the_same_scores_in_every_form(served: Served) -> None:
    other = LINE | {"PROD_CODE": "PRD0900002", "SPEND": 3.1}
    sent = [basket("1", LINE, other), basket("2", other)]
    text = "BASKET_ID,PROD_CODE,SPEND,QUANTITY\n" + "".join(
        f"{item['basket_id']},{line['PROD_CODE']},{line['SPEND']},{line['QUANTITY']}\n"
        for item in sent
        for line in item["lines"]
    )
    bodies = {
        JSON: json.dumps({"baskets": sent}).encode(),
        JSON_LINES: lines_of(*sent),
        CSV: text.encode(),
    }
    results = [answered(body, served, kind) for kind, body in bodies.items()]
    assert results[0].predictions == results[1].predictions == results[2].predictions
    assert len(results[0].predictions) == 2
    rows = list(csv.DictReader(io.StringIO(written(results[0], CSV))))
    assert list(rows[0]) == [*COLUMNS, "error"]
    for row, prediction in zip(rows, results[0].predictions, strict=True):
        assert row["basket_id"] == prediction["basket_id"]
        assert float(row["p_low"]) == prediction["p_low"]


def test_what_is_not_scored_has_a_row_of_csv_too(served: Served) -> None:
    body = "BASKET_ID,PROD_CODE,SPEND,QUANTITY\n1,P,1,1\n2,P,x,1\n1,P,2,0\n"
    result = answered(body.encode(), served, CSV)
    rows = list(csv.DictReader(io.StringIO(written(result, CSV))))
    assert [(row["basket_id"], bool(row["error"])) for row in rows] == [("1", False), ("2", True)]
    assert result.rejected_lines == [
        {"basket_id": "2", "row": 2, "reason": "spend_not_a_number"},
        {"basket_id": "1", "row": 3, "reason": "quantity_not_positive"},
    ]
    assert headers(result) == {
        "Basketwise-Model-Version": "7",
        "Basketwise-Model-Sha256": "ab" * 32,
        "Basketwise-Rejected-Lines": "2",
    }


def test_rejected_lines_are_listed_up_to_a_bound_and_all_counted(served: Served) -> None:
    bad = [LINE | {"SPEND": "free"}] * (answers.LISTED + 5)
    result = answered(lines_of(basket(1, LINE, *bad)), served)
    assert result.rejected == {"spend_not_a_number": answers.LISTED + 5}
    assert len(result.rejected_lines) == answers.LISTED


def test_many_lines_that_spoil_each_other_are_not_scored_one_by_one(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    score = scoring.score

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return score(*arguments, **options)

    monkeypatch.setattr(answers, "score", counted)
    result = answered(lines_of(*(basket(f"9.94E+{n}") for n in range(10, 90)), basket(1)), served)
    assert len(calls) <= answers.ATTEMPTS
    assert len(result.outcomes) == 81
    assert "error" in result.outcomes[0]


def test_an_explanation_names_the_products(served: Served, scorer: Model) -> None:
    result = answered(lines_of(basket(1), basket("A")), served, explain=True)
    expected = scorer.explain([LINE | {"BASKET_ID": 1}])["explanation"][0]
    for outcome in result.outcomes:
        assert outcome["explanation"] == expected
        (product,) = outcome["products"]
        assert (product["prod_code"], product["lines"]) == ("PRD0900001", 1)
    assert "explanation" in written(result, CSV).partition("\n")[0]
    assert json.loads(written(result, JSON))["predictions"] == result.outcomes
    plain = replace(scorer, metadata=scorer.metadata)
    assert pl.DataFrame(answered(lines_of(basket(1)), replace(served, model=plain)).outcomes).height


@pytest.mark.parametrize(
    ("accept", "sent", "expected"),
    [
        (None, JSON, JSON),
        (None, CSV, JSON),
        (None, JSON_LINES, JSON_LINES),
        ("*/*", JSON_LINES, JSON_LINES),
        ("application/json", JSON_LINES, JSON),
        ("application/x-ndjson", JSON, JSON_LINES),
        ("text/*", JSON, CSV),
        ("text/csv;q=0.2, application/json;q=0.1", JSON, CSV),
        ("text/csv;q=0, */*", CSV, JSON),
        ("text/html, */*;q=0.8", CSV, JSON),
        ("text/csv;q=x", CSV, None),
        ("image/png", JSON, None),
    ],
)
def test_a_client_gets_what_it_accepts_most(
    accept: str | None, sent: str, expected: str | None
) -> None:
    assert accepted(accept, sent) == expected


@pytest.mark.parametrize("name", ["application/jsonlines", "application/x-ndjson"])
def test_json_lines_go_by_several_names(name: str) -> None:
    assert media_type(f"{name}; charset=utf-8") == JSON_LINES


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps({"baskets": [basket(n) for n in range(9)]}), JSON),
        (json.dumps({"baskets": [basket(1, *[{}] * 20)]}), JSON),
        ("[" * 40, JSON),
        (lines_of(*map(basket, range(9))).decode(), JSON_LINES),
        ("BASKET_ID,PROD_CODE,SPEND,QUANTITY\n" + "1,P,1,1\n" * 9, CSV),
        ("BASKET_ID\r" * 10, CSV),
    ],
)
def test_more_than_is_allowed_is_refused_before_it_is_parsed(body: str, kind: str) -> None:
    with pytest.raises(TooLargeError, match="The request has more than"):
        read_request(body.encode(), kind, Bounds(baskets=4, lines=8))


def wide(*lines: dict[str, Any]) -> str:
    return json.dumps({"baskets": [basket(1, *lines)]})


LONG = "x" * 1_001


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        ('{"baskets": [' + "1," * 5_000 + "1]}", JSON, "more than 2,669 values"),
        (wide({f"c{n}": 1 for n in range(300)}), JSON, "Line 1 of basket 1 (1) has more than 200"),
        (wide(LINE | {"PROD_CODE": LONG}), JSON, "PROD_CODE has more than 1,000 characters"),
        (wide(LINE | {"SHOP_DATE": LONG}), JSON, "SHOP_DATE has more than 1,000 characters"),
        (f"BASKET_ID,PROD_CODE,SPEND,QUANTITY\n1,{LONG},1,1\n", CSV, "A line's PROD_CODE has more"),
        ('{"baskets": [{"basket_id": "' + LONG + '"}]}', JSON, "'basket_id' of more than 200"),
        ("x\n" * 1_001, JSON_LINES, "More than 1,000 lines are no baskets. Line 1001 is not JSON"),
        (",".join(["x" * 140_000] * 2), CSV, "The header of 'body' cannot be read"),
        ("x," * 200 + "x\n1", CSV, "The header has more than 200 columns"),
        (f"BASKET_ID,PROD_CODE,SPEND,QUANTITY\n{LONG[:201]},P,1,1\n", CSV, "more than 200 char"),
    ],
)
def test_what_no_lines_look_like_is_refused_soon(body: str, kind: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read_request(body.encode(), kind, Bounds())
    assert expected in caught.value.headline
    assert len(caught.value.headline) < 2_000


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_as_many_columns_as_are_allowed_are_read(end: bytes) -> None:
    header = "BASKET_ID,PROD_CODE,SPEND,QUANTITY" + "".join(f",c{n}" for n in range(196))
    lines = [f"{basket},P,1,1{',1' * 196}" for basket in range(300)]
    body = end.join(text.encode() for text in (header, *lines))
    table = read_request(body, CSV, Bounds()).lines
    assert isinstance(table, Table)
    assert table.frame.height == 300


def test_the_encoding_of_a_body_is_nothing_that_a_setting_changes() -> None:
    body = b"BASKET_ID,PROD_CODE,SPEND,QUANTITY\n1,caf\xe9,1,1\n"
    with pytest.raises(MalformedError, match="is not UTF-8: line 2") as caught:
        read_request(body, CSV, Bounds())
    assert "in UTF-8" in caught.value.hint
    assert "data.encoding" not in caught.value.hint


def test_columns_that_no_model_reads_change_nothing(served: Served) -> None:
    some = wide(*({f"c{line}-{n}": 1} | LINE for line in range(20) for n in range(20)))
    assert answered(some.encode(), served, JSON).predictions
    few = wide(LINE | {"y" * 300: 1} | {f"c{n}": 1 for n in range(100)})
    assert answered(few.encode(), served, JSON).predictions


def test_as_much_as_is_allowed_is_read() -> None:
    body = {"baskets": [basket(n, LINE, LINE) for n in range(4)]}
    bounds = Bounds(baskets=4, lines=8)
    assert len(read_request(json.dumps(body).encode(), JSON, bounds).baskets) == 4
    assert len(read_request(lines_of(*body["baskets"]), JSON_LINES, bounds).baskets) == 4
    text = "BASKET_ID,PROD_CODE,SPEND,QUANTITY\n" + "1,P,1,1\n" * 8
    assert isinstance(read_request(text.encode(), CSV, bounds).lines, Table)


def test_no_lines_at_all_are_refused() -> None:
    with pytest.raises(InputError, match="contains no baskets"):
        read_request(b"\n \n", JSON_LINES)


def test_a_models_own_names_of_columns_are_read_in_every_type(served: Served) -> None:
    rules = served.model.metadata.rules.model_copy(update={"columns": {"PROD_CODE": "Sku"}})
    metadata = served.model.metadata.model_copy(update={"rules": rules})
    own = replace(served, model=replace(served.model, metadata=metadata))
    line = {"Sku": "PRD0900001", "SPEND": 1.5, "QUANTITY": 1}
    bodies = {
        JSON: json.dumps({"baskets": [{"basket_id": "7", "lines": [line]}]}).encode(),
        JSON_LINES: json.dumps({"basket_id": "7", "lines": [line]}).encode(),
        CSV: b"BASKET_ID,sku,SPEND,QUANTITY\n7,PRD0900001,1.5,1\n",
    }
    columns = own.model.rules.columns
    scored = [
        answer(read_request(body, kind, columns=columns), own).predictions
        for kind, body in bodies.items()
    ]
    body = json.dumps({"baskets": [basket("7")]}).encode()
    assert scored[0] == scored[1] == scored[2] == answered(body, served, JSON).predictions
