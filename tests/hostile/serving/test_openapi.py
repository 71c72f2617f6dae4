"""Whatever the OpenAPI document allows, or nearly allows: the server answers, and as it says."""

from __future__ import annotations

import csv
import http.client
import io
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

from basketwise.model.archive import load_model_archive
from basketwise.serving.http.limits import Limits
from basketwise.serving.http.served import Current, Served
from basketwise.serving.http.service import Service
from tests.artifact.test_frozen import FROZEN
from tests.hostile.scale import tried
from tests.serving.http.client import serving

GENERATED = tried(15, 6_000)
"""Cases of each operation."""
MUTATED = tried(60, 5_000)
"""Bodies of each content type."""
ARCHIVE = sorted(FROZEN.glob("*.tar.gz"))[0]
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
QUIET = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    served = Served(load_model_archive(ARCHIVE), "1", "ab" * 32, "Approved")
    with serving(Service(Current(served), Limits(body=200_000))) as number:
        yield number


@schemathesis.serializer("application/jsonlines")
def as_json_lines(_: schemathesis.SerializationContext, value: Any) -> bytes:
    rows = value if isinstance(value, list) else [value]
    return "\n".join(json.dumps(row) for row in rows).encode("utf-8", "replace")


@schemathesis.serializer("text/csv")
def as_csv(_: schemathesis.SerializationContext, value: Any) -> bytes:
    return str(value).encode("utf-8", "replace")


@pytest.mark.timeout(tried(300, 3_600))
def test_generated_requests_are_answered_as_the_document_says(port: int) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
    codes: Counter[int] = Counter()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @seed(1)
        @settings(QUIET, max_examples=GENERATED)
        @given(case=operation.as_strategy())
        def ask(case: schemathesis.Case[Any]) -> None:
            response = case.call(timeout=30)
            codes[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        ask()
    click.echo(f"{sum(codes.values()):,} generated requests: {dict(sorted(codes.items()))}")
    assert not [code for code in codes if code >= 500]
    assert codes[200]


LINES = [
    {"PROD_CODE": "PRD0900001", "SPEND": 1.5, "QUANTITY": 1, "SHOP_WEEK": 200607},
    {"prod_code": "PRD0900002", "spend": "0.93", "quantity": "2", "STORE_FORMAT": "LS"},
]
TENSORS = [
    {"name": name, "shape": [2], "datatype": "BYTES", "data": data}
    for name, data in {
        "BASKET_ID": ["1", "1"],
        "PROD_CODE": ["PRD0900001", "PRD0900002"],
        "SPEND": ["1.5", "2"],
        "QUANTITY": ["1", "1"],
    }.items()
]


def _csv() -> bytes:
    text = io.StringIO()
    rows = csv.DictWriter(text, ["BASKET_ID", "PROD_CODE", "SPEND", "QUANTITY"])
    rows.writeheader()
    rows.writerow({"BASKET_ID": "1", "PROD_CODE": "A", "SPEND": "1,5", "QUANTITY": 1})
    rows.writerow({"BASKET_ID": "2", "PROD_CODE": 'B "x"', "SPEND": "2", "QUANTITY": 1})
    return text.getvalue().encode()


SEEDS = {
    ("/predict", "application/json"): json.dumps(
        {"baskets": [{"basket_id": 1, "lines": LINES}, {"basket_id": "x", "lines": LINES}]}
    ).encode(),
    ("/predict?explain=true", "application/jsonlines"): b"\n".join(
        json.dumps({"basket_id": number, "lines": LINES}).encode() for number in range(3)
    ),
    ("/invocations", "text/csv"): _csv(),
    (
        "/v2/models/retail-price-sensitivity-models/infer",
        "application/json",
    ): json.dumps({"inputs": TENSORS}).encode(),
}
WORDS = (
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\n", b"\r", b"\0", b"\xff", b"\\ud800"),
    *(
        b"null",
        b"true",
        b"1e999",
        b"-1e308",
        b"NaN",
        b"-0",
        b"9" * 400,
        b"\xf0\x9f\x8d\x9e",
        b"A" * 3_000,
    ),
    *(b"BASKET_ID", b"basket_id", b"lines", b"SPEND", b"shape", b"data", b"200699", b"[[[[[[[["),
)
WAYS = ["insert", "drop", "repeat", "cut"]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["insert", "drop", "repeat", "cut"]),
        st.floats(0, 1),
        st.sampled_from(WORDS),
    ),
    min_size=1,
    max_size=6,
)


def changed(body: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for how, where, word in changes:
        at = int(where * len(body))
        if how == "insert":
            body = body[:at] + word + body[at:]
        elif how == "drop":
            body = body[:at] + body[at + len(word) :]
        elif how == "repeat":
            body = body[:at] + body[at : at + 40] * 3 + body[at + 40 :]
        else:
            body = body[:at] or body
    return body[:100_000]


@pytest.mark.parametrize(("path", "kind"), SEEDS, ids=lambda value: str(value))
def test_damaged_bodies_are_answered_or_refused(port: int, path: str, kind: str) -> None:
    codes: Counter[int] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    @seed(2)
    @settings(QUIET, max_examples=MUTATED)
    @given(changes=CHANGES)
    def ask(changes: list[tuple[str, float, bytes]]) -> None:
        body = changed(SEEDS[path, kind], changes)
        connection.request("POST", path, body, {"Content-Type": kind})
        response = connection.getresponse()
        answer = response.read()
        codes[response.status] += 1
        assert response.status < 500, (body, answer)
        if response.status != 200:
            assert json.loads(answer)["detail"]

    ask()
    connection.close()
    click.echo(f"{path}: {sum(codes.values()):,} damaged bodies: {dict(sorted(codes.items()))}")
