"""AWS's own server answers as ours does, and with the numbers of Python."""

from __future__ import annotations

import csv
import io
import json
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import polars as pl
import pytest

import basketwise as bw
from basketwise.aws import libraries
from basketwise.aws.self_contained import write_self_contained
from basketwise.config import Config, ModelName, TrainingConfig
from basketwise.files import ARCHIVE
from basketwise.model.archive import load_model_archive
from basketwise.schema import KEY, PROBABILITIES
from basketwise.serving.http.limits import Limits
from basketwise.serving.http.media_types import CONTENT_TYPES, CSV, JSON, JSON_LINES
from basketwise.serving.http.served import Current, Served
from basketwise.serving.http.service import Service
from tests.hostile.scale import tried
from tests.hostile.serving import aws_image
from tests.serving.http.client import send, serving

pytestmark = [
    pytest.mark.skipif(not tried(0, 1), reason="installs AWS's libraries and a model's: 300 MB"),
    pytest.mark.timeout(1_800),
    pytest.mark.usefixtures("small_trainings"),
]

BASKETS = 40
ACCEPTS = (None, "*/*", *CONTENT_TYPES, f"{CSV};q=0.5, {JSON}", "image/png")
LINE = b'{"PROD_CODE": "A", "SPEND": 1.5, "QUANTITY": 1}'
HEADER = b"BASKET_ID,PROD_CODE,SPEND,QUANTITY\n"
REFUSED = [
    (JSON, b""),
    (JSON, b"{"),
    (JSON, b"\xff\xfe"),
    (JSON, b"[" * 100_000),
    (JSON, b'{"baskets": []}'),
    (JSON, b'{"baskets": [{"basket_id": "\xff", "lines": [%s]}]}' % LINE),
    (JSON, b'{"baskets": [{"basket_id": "\\ud800", "lines": [%s]}]}' % LINE),
    (JSON_LINES, b""),
    (CSV, b""),
    (CSV, b"a,b\n1,2\n"),
    (CSV, HEADER + b"1,\xff,1.5,1\n"),
    (f"{CSV}; charset=utf-8", HEADER + b"1,\xff,1.5,1\n"),
    (f"{CSV}; charset=latin-1", HEADER + b"1,A,1.5,1\n"),
    ("text/plain", HEADER + b"1,A,1.5,1\n"),
    ("application/x-npy", b"\x93NUMPY"),
]


@dataclass(frozen=True)
class Asked:
    """The same model behind AWS's server and ours, and what Python says of some baskets."""

    aws: int
    ours: int
    log: Path
    bodies: dict[str, bytes]
    expected: dict[str, list[float]]


@pytest.fixture(params=["xgboost", "random_forest"])
def asked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Asked]:
    archive, lines = train(request.param, tmp_path / "w"), bw.sample(baskets=BASKETS, seed=7)
    whole, folder = tmp_path / "whole.tar.gz", tmp_path / "aws"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(libraries, "PYTHON", ".".join(platform.python_version_tuple()[:2]))
        write_self_contained(archive, whole)
    python = aws_image.install(tmp_path / "image")
    probabilities = bw.load(archive).predict_proba(lines)
    expected = {str(key): row for key, *row in probabilities.select(KEY, *PROBABILITIES).rows()}
    served = Service(Current(Served(load_model_archive(archive))), Limits())
    with aws_image.serving(python, whole, folder) as (aws, seconds), serving(served) as ours:
        click.echo(f"{request.param}: /ping answers 200 after {seconds:.1f} s")
        yield Asked(aws, ours, folder / "log", bodies(lines), expected)


def train(name: ModelName, workspace: Path) -> Path:
    """Train one candidate; returns its archive."""
    config = Config(training=TrainingConfig(models=(name,)))
    sample = bw.sample(baskets=3_000)
    run = bw.train(sample, workspace=workspace, split="customer", config=config)
    return Path(run.folder, ARCHIVE)


def bodies(lines: pl.DataFrame) -> dict[str, bytes]:
    """Return the same baskets in every type that is read."""
    baskets = [
        {
            "basket_id": str(key),
            "lines": [
                {k: v for k, v in row.items() if k != "BASKET_ID"} for row in part.to_dicts()
            ],
        }
        for (key,), part in lines.group_by("BASKET_ID", maintain_order=True)
    ]
    return {
        JSON: json.dumps({"baskets": baskets}).encode(),
        JSON_LINES: b"".join(json.dumps(basket).encode() + b"\n" for basket in baskets),
        CSV: lines.write_csv().encode(),
    }


def invoke(port: int, body: bytes, **headers: str) -> tuple[int, str, str]:
    """Return status, type and content of an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, answered, content = send(port, "POST", "/invocations", body, **named)
    return status, answered["Content-Type"].partition(";")[0], content.decode()


def rows(kind: str, text: str) -> list[dict[str, Any]]:
    """Return the baskets of an answer."""
    if kind == CSV:
        return list(csv.DictReader(io.StringIO(text)))
    parsed: list[dict[str, Any]] = (
        [json.loads(line) for line in text.splitlines()]
        if kind == JSON_LINES
        else json.loads(text)["predictions"]
    )
    return parsed


def test_it_answers_and_refuses_as_ours_does(asked: Asked) -> None:
    assert send(asked.aws, "GET", "/ping", None)[2] == b""
    for sent, body in asked.bodies.items():
        for content_type in (sent, f"{sent}; charset=utf-8"):
            for accept in ACCEPTS:
                headers = {"Content_Type": content_type} | ({"Accept": accept} if accept else {})
                actual = invoke(asked.aws, body, **headers)
                assert actual == invoke(asked.ours, body, **headers), headers
                if accept == "image/png":
                    assert actual[0] == 406
                    continue
                assert actual[0] == 200
                assert {
                    str(row[KEY]): [float(row[name]) for name in PROBABILITIES]
                    for row in rows(*actual[1:])
                } == asked.expected
    for content_type, body in REFUSED:
        status, kind, text = invoke(asked.aws, body, Content_Type=content_type)
        assert status == invoke(asked.ours, body, Content_Type=content_type)[0], (body, text)
        assert (kind, 400 <= status < 500) == (JSON, True)
        assert json.loads(text)["error"]
    assert send(asked.aws, "GET", "/ping", None)[0] == 200
    # No request has ended the worker, whose NumPy is the archive's, although the image has another.
    (worker,) = re.findall(r"Booting worker with pid: (\d+)", asked.log.read_text())
    maps = Path(f"/proc/{worker}/maps").read_text()
    numpy = set(re.findall(r"(/\S+)/numpy/_core/_multiarray_umath", maps))
    assert numpy == {str(asked.log.parent / "code/lib")}
