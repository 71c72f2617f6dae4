from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from open_inference.openapi.errors import BadRequestError
from open_inference.openapi.types import InferenceRequest

from basketwise.model.scoring import Model
from basketwise.schema import GROUP_NAME
from basketwise.serving.http.bounds import Bounds
from basketwise.serving.http.limits import Limits
from basketwise.serving.http.served import Current, Served
from basketwise.serving.http.service import Service
from basketwise.serving.http.tensors import read_tensors
from tests.serving.http.client import serving

MODEL = f"/v2/models/{GROUP_NAME}"
INPUTS: list[dict[str, Any]] = [
    {"name": "basket_id", "shape": [3], "datatype": "BYTES", "data": ["b", "a", "b"]},
    {"name": "PROD_CODE", "shape": [3, 1], "datatype": "BYTES", "data": [["X"], ["Y"], ["Z"]]},
    {"name": "SPEND", "shape": [3], "datatype": "FP64", "data": [1.5, 2.0, 0.5]},
    {"name": "QUANTITY", "shape": [3], "datatype": "INT32", "data": [1, 1, 2]},
]

# What the protocol says of an answer, "Inference Response JSON Object".
TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"enum": ["BYTES", "FP64"]},
        "data": {"type": "array"},
    },
}
ANSWER = {
    "type": "object",
    "required": ["model_name", "outputs"],
    "properties": {
        "model_name": {"const": GROUP_NAME},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "parameters": {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        },
        "outputs": {"type": "array", "items": TENSOR},
    },
}


@pytest.fixture(scope="module")
def ports(scorer: Model) -> Iterator[int]:
    current = Current(Served(scorer, "7", "ab" * 32, "Approved"))
    with serving(Service(current, Limits(body=20_000))) as port:
        yield port


def ask(port: int, path: str, document: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = None if document is None else json.dumps(document)
    connection.request("GET" if body is None else "POST", path, body)
    response = connection.getresponse()
    try:
        assert response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_server_and_model_say_what_they_are(ports: int) -> None:
    assert ask(ports, "/v2/health/live") == (200, {"live": True})
    assert ask(ports, "/v2/health/ready") == (200, {"ready": True})
    assert ask(ports, "/v2")[1]["name"] == "basketwise"
    status, model = ask(ports, MODEL)
    assert (status, model["name"], model["versions"]) == (200, GROUP_NAME, ["7"])
    assert {entry["name"] for entry in model["inputs"]} >= {"BASKET_ID", "PROD_CODE", "SPEND"}
    assert ask(ports, f"{MODEL}/versions/7")[1] == model
    assert ask(ports, f"{MODEL}/ready") == (200, {"name": GROUP_NAME, "ready": True})


def test_tensors_are_scored_as_the_lines_they_are(ports: int, scorer: Model) -> None:
    status, answer = ask(ports, f"{MODEL}/infer", {"id": "x-1", "inputs": INPUTS})
    assert status == 200
    Draft202012Validator(ANSWER).validate(answer)
    assert (answer["model_version"], answer["id"]) == ("7", "x-1")
    assert answer["parameters"]["sha256"] == "ab" * 32
    assert answer["parameters"]["unscored"] == "[]"
    tensors = {tensor["name"]: tensor for tensor in answer["outputs"]}
    lines = [
        {"BASKET_ID": "b", "PROD_CODE": "X", "SPEND": 1.5, "QUANTITY": 1},
        {"BASKET_ID": "a", "PROD_CODE": "Y", "SPEND": 2.0, "QUANTITY": 1},
        {"BASKET_ID": "b", "PROD_CODE": "Z", "SPEND": 0.5, "QUANTITY": 2},
    ]
    with pytest.warns(UserWarning, match="never seen"):
        expected = scorer.predict(lines).sort("basket_id", descending=True)
    assert tensors["basket_id"]["data"] == ["b", "a"]
    for name in ("predicted_sensitivity", "p_low", "p_medium", "p_high", "known_share"):
        assert tensors[name]["data"] == expected[name].to_list()
        assert tensors[name]["shape"] == [2]


def test_only_the_outputs_that_are_asked_for_come_back(ports: int) -> None:
    request = {"inputs": INPUTS, "outputs": [{"name": "p_high"}]}
    _, answer = ask(ports, f"{MODEL}/versions/7/infer", request)
    assert [tensor["name"] for tensor in answer["outputs"]] == ["p_high"]


def test_rejected_lines_are_counted(ports: int) -> None:
    spend = {"name": "SPEND", "shape": [3], "datatype": "BYTES", "data": ["1", "?", "2"]}
    inputs = [spend if tensor["name"] == "SPEND" else tensor for tensor in INPUTS]
    _, answer = ask(ports, f"{MODEL}/infer", {"inputs": inputs})
    parameters = answer["parameters"]
    assert parameters["rejected_lines"] == 1
    assert json.loads(parameters["rejected"]) == {"spend_not_a_number": 1}
    assert answer["outputs"][0]["data"] == ["b"]
    assert json.loads(parameters["unscored"]) == ["a"]


def changed(**changes: Any) -> dict[str, Any]:
    return {"inputs": [INPUTS[0] | changes, *INPUTS[1:]]}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "no list of inputs"),
        ({}, "no list of inputs"),
        ({"inputs": INPUTS[1:]}, "no tensor BASKET_ID"),
        ({"inputs": [*INPUTS, INPUTS[0]]}, "more than one input 'BASKET_ID'"),
        (changed(name=7), "Input 1 has no name"),
        (changed(datatype="FP16"), "no datatype"),
        (changed(datatype="INT64"), "not of its datatype"),
        (changed(shape=[4]), "shape"),
        (changed(shape=[2], data=["a", "b"]), "different lengths"),
        (changed(data=["a", "b", None]), "Element 3 of BASKET_ID is empty"),
        (changed(datatype="FP64", data=[1.0, 2.0, 1.0]), "floats cannot carry 15 digits"),
        ({"inputs": INPUTS, "outputs": [{"name": "p_huge"}]}, "no output"),
    ],
)
def test_what_is_no_request_is_refused(ports: int, document: Any, message: str) -> None:
    status, answer = ask(ports, f"{MODEL}/infer", document)
    assert status == 400
    assert message in answer["error"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (changed(data=["a", "x" * 201, "b"]), "Element 2 of BASKET_ID has more than 200"),
        (
            {
                "inputs": [
                    *INPUTS,
                    {**INPUTS[1], "name": "CUST_CODE", "data": ["a", "b", "x" * 1001]},
                ]
            },
            "Input 'CUST_CODE' has an element of more than 1,000",
        ),
        (
            {"inputs": [{**INPUTS[3], "name": f"c{n}"} for n in range(201)]},
            "The request has more than 200 columns",
        ),
    ],
)
def test_tensors_are_bounded_as_lines_are(ports: int, document: Any, message: str) -> None:
    status, answer = ask(ports, f"{MODEL}/infer", document)
    assert status == 413
    assert message in answer["error"]


def test_a_code_is_the_same_as_text_and_as_any_number() -> None:
    def codes(datatype: str, *data: Any) -> list[Any]:
        code = {"name": "PROD_CODE", "shape": [3], "datatype": datatype, "data": list(data)}
        inputs = [INPUTS[0], code, *INPUTS[2:]]
        lines = read_tensors({"inputs": inputs}, Bounds()).lines
        assert isinstance(lines, list)
        return [line["PROD_CODE"] for line in lines]

    assert codes("BYTES", "7", "8", "9") == codes("INT64", 7, 8, 9) == ["7", "9", "8"]
    assert codes("FP64", 7.0, 8.0, 9.0) == codes("FP32", 7, 8, 9) == ["7", "9", "8"]


@pytest.mark.parametrize("name", ["SPEND", "Price"])
def test_amounts_that_are_numbers_stay_numbers(name: str) -> None:
    def amounts(datatype: str, *data: Any) -> list[Any]:
        amount = {"name": name, "shape": [3], "datatype": datatype, "data": list(data)}
        inputs = [*INPUTS[:2], amount, INPUTS[3]]
        lines = read_tensors({"inputs": inputs}, Bounds(), {"SPEND": "price"}).lines
        assert isinstance(lines, list)
        return [line[name.upper()] for line in lines]

    assert amounts("FP64", 1.234, 2.0, None) == [1.234, None, 2]
    assert amounts("BYTES", "1.234", "2", "3") == ["1.234", "3", "2"]


@pytest.mark.parametrize("path", ["/v2/models/other", f"{MODEL}/versions/8", "/v2/nothing"])
def test_what_is_not_served_is_not_there(ports: int, path: str) -> None:
    status, answer = ask(ports, path)
    assert status == 404
    assert answer["error"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_client_made_of_the_protocol_gets_its_answer(ports: int) -> None:
    """The client is generated from the protocol's own OpenAPI document."""
    made: Any = InferenceRequest
    with httpx.Client() as connection:
        client = OpenInferenceClient(base_url=f"http://127.0.0.1:{ports}", httpx_client=connection)
        client.check_server_liveness()
        client.check_server_readiness()
        client.check_model_readiness(GROUP_NAME)
        client.check_model_version_readiness(GROUP_NAME, "7")
        assert client.read_server_metadata().name == "basketwise"
        assert client.read_model_metadata(GROUP_NAME).versions == ["7"]
        request = made(id="1", inputs=INPUTS)
        answer: Any = client.model_version_infer(GROUP_NAME, "7", request=request)
        assert (answer.model_version, answer.id) == ("7", "1")
        own = {tensor.name: tensor for tensor in answer.outputs}
        assert own["basket_id"].shape == [2]
        _, plain = ask(ports, f"{MODEL}/infer", {"inputs": INPUTS})
        for tensor in plain["outputs"]:
            assert own[tensor["name"]].datatype == tensor["datatype"]
        with pytest.raises(ApiError) as refused:
            client.read_model_metadata("other")
        assert refused.value.status_code == 404
        with pytest.raises(BadRequestError):
            client.model_infer(GROUP_NAME, request=made(inputs=INPUTS[1:]))
