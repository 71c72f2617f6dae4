"""Decides as IAM does whether a policy allows an action, for the part of its language we use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

Context: TypeAlias = Mapping[str, str | list[str]]
"""Condition keys of a request; one with several values has a list."""

KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition", "Principal"}


def allows(
    policy: Mapping[str, Any],
    action: str,
    resource: str,
    context: Context | None = None,
) -> bool:
    """Say whether some statement allows it and none denies it."""
    effects = {
        statement["Effect"]
        for statement in policy["Statement"]
        if applies(statement, action, resource, context or {})
    }
    return effects == {"Allow"}


def applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
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


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda pattern, value: pattern == value,
    "StringLike": lambda pattern, value: matches(pattern, value),
    "ArnLike": lambda pattern, value: matches(pattern, value),
    # AWS treats both alike.
    "ArnEquals": lambda pattern, value: matches(pattern, value),
    "Bool": lambda pattern, value: pattern.lower() == value.lower(),
}


def _holds(operator: str, key: str, expected: list[str], context: Context) -> bool:
    """Decide a condition (Amazon Web Services, IAM User Guide, condition operators, 2025)."""
    values = several(context[key]) if key in context else None
    if operator == "Null":
        return expected == [str(values is None).lower()]
    quantifier, _, plain = operator.rpartition(":")
    bare = plain.removesuffix("IfExists")
    if values is None:
        # A key that a request lacks makes a condition false, and a negated one true.
        return bare != plain or "Not" in bare or quantifier == "ForAllValues"
    compare = OPERATORS[bare.replace("Not", "")]
    negated = "Not" in bare
    results = [any(compare(item, value) for item in expected) != negated for value in values]
    if quantifier == "ForAllValues":
        return all(results)
    assert quantifier or len(values) == 1, f"{key} has several values: {operator} says not which"
    return any(results)
