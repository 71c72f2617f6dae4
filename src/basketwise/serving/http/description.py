"""``/openapi.json``: every route, with what it takes and answers, generated from the types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from basketwise import __version__
from basketwise.serving.http import contract
from basketwise.serving.http.auth import OPEN
from basketwise.serving.http.media_types import CSV, JSON, JSON_LINES
from basketwise.serving.http.problems import problem_type

TITLE = "Basketwise"
SUMMARY = "How price-sensitive each supermarket basket is, from its till lines."

ROW = {"PROD_CODE": "PRD0900001", "SPEND": 1.5, "QUANTITY": 1}
EXAMPLES = {
    JSON: {"baskets": [{"basket_id": "1", "lines": [ROW]}]},
    JSON_LINES: json.dumps({"basket_id": "1", "lines": [ROW]}) + "\n",
    CSV: "BASKET_ID,PROD_CODE,SPEND,QUANTITY\n1,PRD0900001,1.5,1\n",
}

TEXTS = {
    200: "Answered.",
    400: "The request cannot be read.",
    401: "The token is missing, or wrong.",
    405: "The path has other methods.",
    406: "No type that is accepted can be answered.",
    408: "The request is sent too slowly.",
    411: "The request states no length.",
    413: "The request is too large.",
    415: "The type of the request is not read.",
    422: "Nothing of the request can be used.",
    429: "Too many requests; try again after the seconds in Retry-After.",
    500: "Something that should not happen.",
    503: "No model, no turn or no time for the request; try again.",
}
REFUSED = (400, 406, 408, 411, 413, 415, 429, 500, 503)
"""Statuses with which a request for predictions is refused."""

EXPLAIN = {
    "name": "explain",
    "in": "query",
    "description": "Explain each prediction by the basket's products.",
    "schema": {"type": "string", "enum": ["true", "false"], "default": "false"},
}


@dataclass(frozen=True)
class Operation:
    """One method of one path: what it answers, and how it refuses."""

    path: str
    summary: str
    answer: type[BaseModel] | None = None
    method: str = "get"
    refused: tuple[int, ...] = ()
    parameters: tuple[dict[str, Any], ...] = ()
    text: str = ""
    """Media type of an answer that is no JSON."""


OPERATIONS = (
    Operation(
        "/predict",
        "Score baskets; JSON, JSON Lines with one basket a line, or CSV, in and out",
        contract.PredictResponse,
        "post",
        (*REFUSED, 422),
        (EXPLAIN,),
    ),
    Operation("/model/info", "What the model is", contract.ModelInfo, refused=(503,)),
    Operation(
        "/model/metrics",
        "How the model did on its test set, with intervals",
        contract.ModelMetrics,
        refused=(503,),
    ),
    Operation(
        "/model/example",
        "A request that the model can answer",
        contract.PredictRequest,
        refused=(503,),
    ),
    Operation("/health", "Whether the process is alive", contract.Status),
    Operation("/ready", "Whether requests are to be sent here", contract.Status, refused=(503,)),
    Operation("/ping", "The same, for SageMaker", refused=(503,)),
    Operation(
        "/invocations",
        "The same as /predict, for SageMaker; what cannot be used is answered 400",
        contract.PredictResponse,
        "post",
        REFUSED,
    ),
    Operation("/metrics", "What Prometheus asks for", text="text/plain"),
)
"""The Open Inference Protocol describes itself, under ``/v2``."""


@cache
def openapi() -> dict[str, Any]:
    """Return the document: OpenAPI 3.1."""
    models = [o.answer for o in OPERATIONS if o.answer] + [
        contract.PredictRequest,
        contract.Problem,
    ]
    named = [(model, "validation") for model in dict.fromkeys(models)]
    _, schemas = models_json_schema(
        named,  # type: ignore[arg-type]
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "summary": SUMMARY, "version": __version__},
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def _described(operation: Operation) -> dict[str, Any]:
    refused = (*operation.refused, *(() if operation.path in OPEN else (401,)))
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.path.strip("/").replace("/", "_"),
        "responses": {"200": {"description": TEXTS[200], "content": _answers(operation)}},
    }
    for status in sorted(refused):
        described["responses"][str(status)] = _refusal(status, operation.path)
    if operation.path in OPEN:
        described["security"] = []
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.method == "post":
        described["requestBody"] = {"required": True, "content": _bodies()}
    return described


def _answers(operation: Operation) -> dict[str, Any]:
    if operation.text:
        return {operation.text: {"schema": {"type": "string"}}}
    schema = _reference(operation.answer) if operation.answer else {"type": "object"}
    content: dict[str, Any] = {JSON: {"schema": schema}}
    if operation.method == "post":
        content |= {kind: {"schema": {"type": "string"}} for kind in (JSON_LINES, CSV)}
    return content


def _bodies() -> dict[str, Any]:
    schemas = {
        JSON: _reference(contract.PredictRequest),
        JSON_LINES: {"type": "string"},
        CSV: {"type": "string"},
    }
    return {kind: {"schema": schema, "example": EXAMPLES[kind]} for kind, schema in schemas.items()}


def _refusal(status: int, path: str) -> dict[str, Any]:
    refusal: dict[str, Any] = {
        "description": TEXTS.get(status, HTTPStatus(status).phrase),
        "content": {problem_type(path): {"schema": _reference(contract.Problem)}},
    }
    if status in (429, 503):
        header = {"description": "Seconds.", "schema": {"type": "integer"}}
        refusal["headers"] = {"Retry-After": header}
    return refusal


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


@cache
def _text() -> bytes:
    return json.dumps(openapi()).encode()


async def describe(request: Request) -> Response:
    """Answer the document."""
    return Response(_text(), media_type=JSON)


ROUTES = [Route("/openapi.json", describe)]
