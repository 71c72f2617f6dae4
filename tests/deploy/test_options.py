from __future__ import annotations

import pytest

from basketwise.deploy.options import ALLOWED, Options, options_of, required
from basketwise.errors import ConfigError

DIGEST = "sha256:" + "0" * 64
HOSTILE = (
    "latest",
    "a b",
    "a\nb",
    "a: b",
    "$(id)",
    "${BASE}",
    "`id`",
    "'; rm -rf /; '",
    '"',
    "{{ 7 * 7 }}",
    "${{ secrets.TOKEN }}",
    "-rm",
    "../up",
    "a\0",
    "ä",
    "a" * 5000,
)


def test_every_option_says_what_is_allowed() -> None:
    assert set(ALLOWED) == set(Options.model_fields)


@pytest.mark.parametrize("name", list(ALLOWED))
@pytest.mark.parametrize("value", HOSTILE)
def test_what_means_something_elsewhere_is_refused(name: str, value: str) -> None:
    if value == "latest" and name in ("name", "namespace"):
        value = "Latest"
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')} is "):
        options_of({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image", f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlops/retail-api@{DIGEST}"),
        ("image", f"localhost:5000/retail_api:3-0123@{DIGEST}"),
        ("base", f"docker.io/library/python:3.12-slim@{DIGEST}"),
        ("host", "scores.example.com"),
        ("role_arn", "arn:aws:iam::123456789012:role/path/retail-api"),
        ("model_url", "s3://a-bucket/artifacts/run-1/model.tar.gz"),
        ("namespace", "mlops"),
    ],
)
def test_usual_values_are_taken(name: str, value: str) -> None:
    assert getattr(options_of({name: value}), name) == value


@pytest.mark.parametrize(
    "image", ["retail-api", "retail-api:3", "retail-api:latest", "a@sha256:12"]
)
def test_an_image_without_a_digest_is_refused(image: str) -> None:
    with pytest.raises(ConfigError) as caught:
        options_of({"image": image})
    assert caught.value.headline == f"--image is {image!r}."
    assert "with its digest" in caught.value.hint


def test_a_missing_option_is_named_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="--model-url is missing: it is on this machine"):
        required(options_of({}), "model_url", "it is on this machine.")
