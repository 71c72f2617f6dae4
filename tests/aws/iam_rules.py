"""Decides as IAM does whether a policy allows an action, for the part of its language we use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition", "Principal"}


def allows(
    policy: Mapping[str, Any],
    action: str,
    resource: str,
    context: Mapping[str, str] | None = None,
) -> bool:
    """Say whether some statement allows it and none denies it."""
    effects = {
        statement["Effect"]
        for statement in policy["Statement"]
        if applies(statement, action, resource, context or {})
    }
    return effects == {"Allow"}


def applies(
    statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    """Say whether a statement speaks of an action on a resource."""
    unknown = set(statement) - KNOWN
    assert not unknown, f"the evaluator does not know {unknown}"
    return (
        any(matches(pattern.lower(), action.lower()) for pattern in several(statement["Action"]))
        and any(matches(pattern, resource) for pattern in several(statement["Resource"]))
        and all(_holds(*item, context) for item in _conditions(statement))
    )


def matches(pattern: str, value: str) -> bool:
    """Compare with a pattern, where * stands for any text and ? for any character."""
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, value, re.DOTALL) is not None


def several(value: str | list[str]) -> list[str]:
    """Return a list, whether one or several were written."""
    return [value] if isinstance(value, str) else value


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for operator, keys in statement.get("Condition", {}).items():
        for key, expected in keys.items():
            yield operator, key, several(expected)


def _holds(operator: str, key: str, expected: list[str], context: Mapping[str, str]) -> bool:
    compare: dict[str, Callable[[str, str], bool]] = {
        "StringEquals": lambda pattern, value: pattern == value,
        "StringLike": matches,
        "ArnLike": matches,
        "Bool": lambda pattern, value: pattern.lower() == value.lower(),
    }
    # A key that a request lacks makes the condition false.
    return key in context and any(compare[operator](item, context[key]) for item in expected)
