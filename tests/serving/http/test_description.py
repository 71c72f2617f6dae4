"""What the server says of itself, held to what it does."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route

from basketwise.artifact.archive import read_json
from basketwise.files import EVALUATION_RESULTS
from basketwise.model.scoring import Model
from basketwise.schema import CLASSES
from basketwise.serving.http import contract, own
from basketwise.serving.http.app import CONTRACTS
from basketwise.serving.http.baskets import read_request
from basketwise.serving.http.description import EXAMPLES, OPERATIONS, openapi
from basketwise.serving.http.media_types import JSON
from basketwise.serving.http.page.reference import document
from basketwise.serving.http.served import open_path
from tests.evaluation.running import Evaluated
from tests.serving.http.client import ask, send

Json = dict[str, Any]


def test_every_route_is_described_and_no_other() -> None:
    routes = [route for routes in CONTRACTS for route in routes if isinstance(route, Route)]
    paths = {route.path for route in routes if not route.path.startswith("/v2")}
    assert {o.path for o in OPERATIONS} == paths - {"/", "/docs", "/openapi.json"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.path)
def test_answers_are_as_described(port: int, operation: Any) -> None:
    is_post = operation.method == "post"
    bodies = EXAMPLES.items() if is_post else [(None, None)]
    for kind, example in bodies:
        body = example if isinstance(example, str) else json.dumps(example)
        status, headers, answer = send(
            port,
            operation.method.upper(),
            operation.path,
            body.encode() if is_post else None,
            **({"Content-Type": kind, "Accept": JSON} if kind else {}),
        )
        assert status == 200
        described = openapi()["paths"][operation.path][operation.method]["responses"]["200"]
        assert headers["Content-Type"].partition(";")[0] in described["content"]
        if operation.answer:
            operation.answer.model_validate_json(answer, strict=True, extra="forbid")


def test_an_explained_answer_is_as_described(port: int) -> None:
    body = json.dumps(EXAMPLES[JSON]).encode()
    _, _, answer = send(port, "POST", "/predict?explain=true", body, **{"Content-Type": JSON})
    (prediction,) = contract.PredictResponse.model_validate_json(answer).predictions
    assert prediction.explanation
    assert prediction.products
    assert prediction.products[0].prod_code == "PRD0900001"


def test_problems_are_as_described(port: int) -> None:
    for path in ("/predict", "/invocations"):
        status, _, answer = send(port, "POST", path, b"{", **{"Content-Type": JSON})
        problem = contract.Problem.model_validate_json(answer, extra="forbid")
        assert (status, problem.status, problem.title) == (400, 400, "Bad Request")
        assert str(status) in openapi()["paths"][path]["post"]["responses"]


def test_what_a_request_must_look_like_is_what_is_read() -> None:
    described = openapi()
    schema = {**described["components"]["schemas"]["PredictRequest"], **described}
    validator = Draft202012Validator(schema)
    Draft202012Validator.check_schema(schema)
    validator.validate(EXAMPLES[JSON])
    assert read_request(json.dumps(EXAMPLES[JSON]).encode(), JSON).baskets
    wrongs: list[Json] = [{}, {"baskets": []}, {"baskets": [{"basket_id": True, "lines": [{}]}]}]
    for wrong in wrongs:
        assert not validator.is_valid(wrong)


def test_the_scores_are_those_of_the_test_set(evaluated: Evaluated, port: int) -> None:
    metrics = ask(port, "/model/metrics")
    assert metrics["accuracy"]["estimate"] is None, "this server's model has no archive"
    scores = contract.ModelMetrics.model_validate(own.test_scores(open_path(evaluated.archive)))
    results = read_json(evaluated.archive, EVALUATION_RESULTS)
    winner = results["model_comparison"][0]
    assert scores.accuracy.estimate == winner["test_accuracy"]
    assert scores.accuracy.model_dump() == winner["accuracy_interval"]
    assert scores.accuracy.low is not None
    assert scores.accuracy.low < winner["test_accuracy"]
    assert list(scores.classes) == list(CLASSES)
    assert sum(map(sum, scores.confusion_matrix)) == scores.test_baskets
    assert scores.confidence == 0.95


def test_prometheus_gets_what_happened(scorer: Model, port: int) -> None:
    line = {"PROD_CODE": "PRD0900001", "SPEND": 1, "QUANTITY": 1}
    body = {"baskets": [{"basket_id": "m", "lines": [line, {**line, "SPEND": "x"}]}]}
    before = samples(port)
    send(port, "POST", "/predict", json.dumps(body).encode(), **{"Content-Type": JSON})
    send(port, "POST", "/predict", b"{", **{"Content-Type": JSON})
    after = samples(port)
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    assert grown['basketwise_requests_total{code="200",route="/predict"}'] == 1
    assert grown['basketwise_requests_total{code="400",route="/predict"}'] == 1
    assert grown['basketwise_rejected_lines_total{reason="spend_not_a_number"}'] == 1
    assert grown["basketwise_lines_total"] == 1
    assert sum(grown[n] for n in grown if n.startswith("basketwise_predictions_total")) == 1
    for part in ("parse", "features", "model", "write"):
        assert grown[f'basketwise_part_seconds_count{{part="{part}"}}'] >= 1
    assert after["basketwise_swaps_total"] == 0


def samples(port: int) -> dict[str, float]:
    _, _, text = send(port, "GET", "/metrics", None)
    rows = (row.rpartition(" ") for row in text.decode().splitlines() if row[0] != "#")
    return {name: float(value) for name, _, value in rows}


class Page(HTMLParser):
    """Anchors, links and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        assert tag not in ("script", "iframe", "img")
        self.ids += [own["id"] or ""] if "id" in own else []
        self.links += [own["href"] or ""] if "href" in own else []


def test_the_page_of_routes_needs_nothing_else() -> None:
    body, policy = document()
    page = Page(body.decode())
    assert "default-src 'none'" in policy
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert link in ("data:,", "/", "/openapi.json") or link.lstrip("#") in page.ids
    for operation in OPERATIONS:
        assert f"{operation.method.upper()} {operation.path}" in body.decode()
