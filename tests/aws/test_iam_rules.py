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
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "true"}}, {"k": "a"}, False),
        ({"Null": {"k": "false"}}, {"k": ["a", "b"]}, True),
        ({"StringNotEquals": {"k": "a"}}, {"k": "b"}, True),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, False),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"k": "a"}}, {}, True),
        ({"StringNotEqualsIfExists": {"k": "a"}}, {"k": "a"}, False),
        ({"StringNotLike": {"k": "a*"}}, {"k": "ab"}, False),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["b", "a"]}, True),
        ({"ForAllValues:StringEquals": {"k": ["a"]}}, {"k": ["a", "b"]}, False),
        ({"ForAllValues:StringEquals": {"k": ["a"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"k": ["a"]}}, {"k": ["a", "b"]}, True),
        ({"ForAnyValue:StringNotEquals": {"k": ["a"]}}, {"k": ["a", "b"]}, True),
        ({"ForAnyValue:StringEquals": {"k": ["a"]}}, {}, False),
    ],
)
def test_every_condition_must_hold(
    condition: dict[str, Any], context: dict[str, str | list[str]], expected: bool
) -> None:
    result = allows(
        policy({**READ, "Condition": condition}), "s3:GetObject", READ["Resource"], context
    )
    assert result is expected


def test_several_values_need_a_quantifier() -> None:
    condition = {"StringEquals": {"k": "a"}}
    with pytest.raises(AssertionError, match="several values"):
        allows(
            policy({**READ, "Condition": condition}),
            "s3:GetObject",
            READ["Resource"],
            {"k": ["a", "b"]},
        )


def test_what_is_not_understood_is_not_passed_over() -> None:
    with pytest.raises(AssertionError, match="NotAction"):
        allows(policy({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}), "s3:x", "y")
