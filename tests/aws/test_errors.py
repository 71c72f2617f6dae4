"""What AWS refuses, as a person reads it, and what it means to the code."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ParamValidationError,
)
from urllib3.exceptions import SSLError

from basketwise.aws.clients import client
from basketwise.aws.errors import REFUSALS, Meaning, call, meaning_of, refusal, translated
from basketwise.config import AwsConfig
from basketwise.errors import ConfigError, DependencyError


def refused(code: str, message: str = "No.") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}}
    return ClientError(answer, "CreateTrainingJob")


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("SlowDown", "wait a minute"),
        ("ThrottlingException", "wait a minute"),
        ("AccessDenied", "basketwise aws policy run"),
        ("403", "basketwise aws policy run"),
        ("ExpiredToken", "Log in again"),
        ("InvalidClientTokenId", "does not know these credentials"),
        ("InvalidToken", "AWS_SESSION_TOKEN"),
        ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        ("RequestTimeTooSkewed", "clock"),
        ("NoSuchBucket", "basketwise aws provision"),
        ("ResourceLimitExceeded", "quota"),
        ("PermanentRedirect", "set aws.region"),
        ("ValidationException", "AWS does not accept the request"),
        ("InternalFailure", "try again"),
        ("SomethingElse", "documentation"),
    ],
)
def test_a_refusal_says_what_to_do(code: str, hint: str) -> None:
    with pytest.raises(DependencyError) as caught, translated("start a job"):
        raise refused(code)
    assert caught.value.headline == f"AWS refused to start a job: No. ({code})."
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (EndpointConnectionError(endpoint_url="https://x"), "Could not connect", "network"),
        (SSLError("bad record"), "bad record", "network"),
        (ConnectionResetError("reset"), "reset", "network"),
        (ConnectionClosedError(endpoint_url="http://host"), "Connection was closed", "network"),
        (ParamValidationError(report="Invalid length for RoleArn"), "RoleArn", "the setting"),
    ],
)
def test_a_failure_on_the_way_to_aws_is_a_dependencys(
    error: Exception, message: str, hint: str
) -> None:
    with pytest.raises(DependencyError, match=message) as caught, translated("start a job"):
        raise error
    assert caught.value.headline.startswith("Failed to start a job: ")
    assert hint in caught.value.hint
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (refused("AccessDenied"), Meaning.DENIED),
        (refused("NoSuchBucket"), Meaning.NO_BUCKET),
        (refused("404"), Meaning.NO_KEY),
        (refused("NoSuchTagSet"), Meaning.NO_KEY),
        (refused("NoSuchUpload"), Meaning.NO_KEY),
        (refused("ResourceNotFound"), Meaning.MISSING),
        (refused("ValidationException", "Requested resource not found."), Meaning.MISSING),
        (refused("ValidationException", "Could not find model 'x'."), Meaning.MISSING),
        (refused("ValidationError", "Stack with id x does not exist"), Meaning.MISSING),
        (refused("ValidationException", "Group already exists: x"), Meaning.EXISTS),
        (refused("ResourceInUse"), Meaning.EXISTS),
        (refused("412"), Meaning.CONFLICT),
        (refused("ValidationException", "1 validation error detected: at 'x'"), Meaning.OTHER),
        (refused("Other", "The bucket already exists, or does not exist."), Meaning.OTHER),
        (ValueError("not found"), Meaning.OTHER),
    ],
)
def test_codes_and_texts_have_one_meaning(error: Exception, meaning: Meaning) -> None:
    told = DependencyError("AWS refused to do it.")
    told.__cause__ = error

    assert meaning_of(error) is meaning
    assert meaning_of(told) is meaning


def test_an_expected_refusal_is_no_error() -> None:
    def request() -> None:
        raise refused("ResourceNotFound")

    assert call("describe x", request, Meaning.EXISTS, Meaning.MISSING) is None
    with pytest.raises(DependencyError, match=r"AWS refused to describe x: No\. "):
        call("describe x", request, Meaning.EXISTS)


def test_an_unknown_refusal_has_awss_own_message() -> None:
    def request() -> None:
        raise refused("ValidationException", "The role is not valid.")

    with pytest.raises(DependencyError) as caught:
        call("describe x", request, *set(Meaning) - {Meaning.OTHER})

    headline = "AWS refused to describe x: The role is not valid. (ValidationException)."
    assert (caught.value.headline, caught.value.exit_code) == (headline, 3)


def test_an_error_of_our_own_is_not_awss() -> None:
    with pytest.raises(KeyError), translated("describe x"):
        raise KeyError("x")


def test_what_is_not_accepted_names_the_usual_causes() -> None:
    hint = refusal("ValidationException").hint
    assert all(cause in hint for cause in ("role", "region", "image"))


def test_no_code_has_two_rows() -> None:
    codes = Counter(code for row in REFUSALS if not row.texts for code in row.codes.split())
    assert max(codes.values()) == 1


def test_an_endpoint_that_is_not_a_url_is_a_wrong_setting() -> None:
    config = AwsConfig(region="eu-west-1", endpoint_url="http://ann:secret@")

    with pytest.raises(ConfigError, match=r"aws\.endpoint_url") as caught:
        client("s3", config)

    assert "secret" not in str(caught.value)
