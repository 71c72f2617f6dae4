from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import flask
import pytest

from basketwise.artifact.archive import unpack
from basketwise.aws.container.inference import Refused, input_fn, model_fn, output_fn, predict_fn
from basketwise.errors import InputError
from basketwise.model.scoring import Model
from basketwise.serving.http.served import Served
from tests.evaluation.running import Evaluated

LINES = "BASKET_ID,PROD_CODE,SPEND,QUANTITY\n1,PRD1,1.50,1\n1,PRD1,1.50,1\n"


@pytest.mark.parametrize("body", [LINES, LINES.encode(), bytearray(LINES.encode())])
def test_the_four_functions_serve_a_model_folder(
    evaluated: Evaluated, tmp_path: Path, body: str | bytes
) -> None:
    unpack(evaluated.archive, tmp_path)
    # What AWS's image and Python write there is none of the model's.
    (tmp_path / "code" / "setup.py").write_text("")
    (tmp_path / "code" / "__pycache__").mkdir()
    model = model_fn(str(tmp_path))
    actual = output_fn(predict_fn(input_fn(body, "text/csv"), model), "application/json")
    assert isinstance(actual, tuple)
    text, kind = actual
    assert kind == "application/json"
    assert [item["basket_id"] for item in json.loads(text)["predictions"]] == ["1"]
    assert json.loads(text)["rejected"] == {"duplicate_line": 1}


def test_a_changed_model_is_not_loaded(evaluated: Evaluated, tmp_path: Path) -> None:
    unpack(evaluated.archive, tmp_path)
    (tmp_path / "metadata.json").write_text("{}")
    with pytest.raises(InputError, match="not what the manifest says"):
        model_fn(str(tmp_path))


def test_a_file_of_json_lines_can_be_split_anywhere(scorer: Model) -> None:
    """A batch transform splits its file by lines, and joins the answers."""
    line = {"PROD_CODE": "PRD1", "SPEND": 1.5, "QUANTITY": 1}
    baskets = [{"basket_id": f"b{n}", "lines": [line] * (n % 3 + 1)} for n in range(7)]
    body = [json.dumps(basket).encode() + b"\n" for basket in baskets]
    kind = "application/jsonlines"

    def transformed(*parts: bytes) -> str:
        served = Served(scorer)
        texts = [output_fn(predict_fn(input_fn(part, kind), served), kind) for part in parts]
        return "".join(text[0] for text in texts if isinstance(text, tuple))

    whole = transformed(b"".join(body))
    assert [json.loads(line)["basket_id"] for line in whole.splitlines()] == [
        basket["basket_id"] for basket in baskets
    ]
    assert transformed(*body) == whole
    assert transformed(b"".join(body[:2]), b"".join(body[2:])) == whole


@pytest.mark.parametrize(
    "accept", [None, "", "*/*", "application/json", "text/csv;q=0.1, */*", "application/*"]
)
def test_json_is_returned_if_accepted(scorer: Model, accept: str | None) -> None:
    result = output_fn(predict_fn(input_fn(LINES, "text/csv"), Served(scorer)), accept)
    assert isinstance(result, tuple)
    assert result[1] == "application/json"
    assert json.loads(result[0])["predictions"]


def respond(scorer: Model, body: bytes, kind: str, accept: str) -> tuple[int, str | None, Any]:
    """Ask a Flask application that calls the functions as AWS's scikit-learn image does.

    JSON and CSV are decoded, whatever their bytes are. A pair becomes body and type of an answer;
    whatever else ``output_fn`` gives, Flask gets.
    """
    app = flask.Flask("image")

    @app.post("/invocations")
    def transform() -> Any:
        request = flask.request
        content_type = request.headers["Content-Type"]
        content: bytes | str = (
            request.get_data(as_text=True)
            if content_type in ("application/json", "text/csv")
            else request.get_data()
        )
        data = input_fn(content, content_type)
        result = output_fn(predict_fn(data, Served(scorer)), request.headers["Accept"])
        if isinstance(result, tuple):
            return flask.Response(response=result[0], mimetype=result[1])
        return result

    headers = {"Content-Type": kind, "Accept": accept}
    answer = app.test_client().post("/invocations", data=body, headers=headers)
    return answer.status_code, answer.mimetype, answer.get_json()


@pytest.mark.parametrize(
    ("status", "body", "kind", "accept", "expected"),
    [
        (200, LINES, "text/csv", "*/*", "1"),
        (200, LINES, "text/csv; charset=utf-8", "*/*", "1"),
        (415, LINES, "text/plain", "*/*", "'text/plain' is not supported"),
        (400, "{", "application/json", "*/*", "not JSON"),
        (400, "BASKET_ID,SPEND\n1,2\n", "text/csv", "*/*", "PROD_CODE"),
        (406, LINES, "text/csv", "image/png", "cannot be given as 'image/png'"),
    ],
)
def test_awss_image_answers_with_the_status_that_the_request_deserves(
    scorer: Model, status: int, body: str, kind: str, accept: str, expected: str
) -> None:
    actual, mimetype, document = respond(scorer, body.encode(), kind, accept)
    assert (actual, mimetype) == (status, "application/json")
    if status == 200:
        assert document["predictions"][0]["basket_id"] == expected
    else:
        assert expected in document["error"]
        assert document["hint"]


@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8"])
def test_bytes_that_are_not_utf8_are_refused(scorer: Model, kind: str) -> None:
    status, _, document = respond(scorer, LINES.encode().replace(b"PRD", b"\xff"), kind, "*/*")
    assert status == 400
    assert "not UTF-8" in document["error"]


def test_the_replacement_character_can_be_sent(scorer: Model) -> None:
    body = LINES.replace("PRD", "\ufffd").encode()
    status, _, document = respond(scorer, body, "text/csv; charset=utf-8", "*/*")
    assert status == 200
    assert document["predictions"]


def test_a_refusal_passes_through_every_function(scorer: Model) -> None:
    refused = input_fn("{", "application/json")
    assert isinstance(refused, Refused)
    assert refused.status == HTTPStatus.BAD_REQUEST
    assert output_fn(predict_fn(refused, Served(scorer)), "text/csv") is refused
