"""What AWS refuses, as a person reads it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from basketwise.aws.errors import HINTS, translated
from basketwise.errors import DependencyError


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("SlowDown", "wait a minute"),
        ("ThrottlingException", "wait a minute"),
        ("AccessDenied", "basketwise aws policy run"),
        ("403", "basketwise aws policy run"),
        ("ExpiredToken", "log in again"),
        ("InvalidClientTokenId", "does not know these credentials"),
        ("InvalidToken", "AWS_SESSION_TOKEN"),
        ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        ("RequestTimeTooSkewed", "clock"),
        ("NoSuchBucket", "basketwise aws provision"),
        ("ResourceLimitExceeded", "quota"),
        ("PermanentRedirect", "set aws.region"),
        ("ValidationException", "AWS does not accept the request"),
        ("SomethingElse", "documentation"),
    ],
)
def test_a_refusal_says_what_to_do(code: str, said: str) -> None:
    answer: Any = {"Error": {"Code": code, "Message": "No."}}
    with pytest.raises(DependencyError) as caught, translated("start a job"):
        raise ClientError(answer, "CreateTrainingJob")
    assert caught.value.headline == f"AWS refused to start a job: No. ({code})."
    assert said in caught.value.hint


def test_what_is_not_accepted_names_the_usual_causes() -> None:
    (hint,) = [hint for codes, hint in HINTS.items() if "ValidationException" in codes]
    assert all(cause in hint for cause in ("role", "region", "image"))


def test_no_code_has_two_hints() -> None:
    codes = [code for group in HINTS for code in group]
    assert len(codes) == len(set(codes))
