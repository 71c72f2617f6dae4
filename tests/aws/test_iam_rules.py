from typing import Any

import pytest

from tests.aws.iam_rules import allows

READ: dict[str, Any] = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::shop/*"}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Statement": list(statements)}


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("s3:GetObject", "arn:aws:s3:::shop/raw/w.csv", True),
        ("S3:getobject", "arn:aws:s3:::shop/raw/w.csv", True),
        ("s3:PutObject", "arn:aws:s3:::shop/raw/w.csv", False),
        ("s3:GetObject", "arn:aws:s3:::shop", False),
        ("s3:GetObject", "arn:aws:s3:::SHOP/raw/w.csv", False),
        ("s3:GetObject", "arn:aws:s3:::shopping/raw/w.csv", False),
    ],
)
def test_actions_and_resources_are_patterns(action: str, resource: str, expected: bool) -> None:
    assert allows(policy(READ), action, resource) is expected


def test_a_denial_wins() -> None:
    deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    assert not allows(policy(READ, deny), "s3:GetObject", "arn:aws:s3:::shop/x")


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": "b"}, True),
        ({"StringEquals": {"k": "a*"}}, {"k": "ab"}, False),
        ({"StringLike": {"k": "a*"}}, {"k": "ab"}, True),
        ({"Bool": {"k": "false"}}, {"k": "False"}, True),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": "a", "l": "c"}, False),
    ],
)
def test_every_condition_must_hold(
    condition: dict[str, Any], context: dict[str, str], expected: bool
) -> None:
    result = allows(
        policy({**READ, "Condition": condition}), "s3:GetObject", READ["Resource"], context
    )
    assert result is expected


def test_what_is_not_understood_is_not_passed_over() -> None:
    with pytest.raises(AssertionError, match="NotAction"):
        allows(policy({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}), "s3:x", "y")
