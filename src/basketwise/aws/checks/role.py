"""The role that jobs run under: whether it is there, and whether SageMaker may assume it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal

from basketwise.aws import clients
from basketwise.aws.checks.account import unknown
from basketwise.aws.checks.rights import rights
from basketwise.aws.errors import Meaning, call
from basketwise.aws.names import AwsNames
from basketwise.config import Config
from basketwise.doctor.check import Check, State, guarded
from basketwise.errors import BasketwiseError

SERVICE = "sagemaker.amazonaws.com"
ASSUME = "sts:AssumeRole"

MAKE = "'basketwise aws provision' makes such a role; or set aws.role_arn to another one."
FIX = (
    f"Let its trust policy allow {ASSUME} to the service {SERVICE}; "
    "'basketwise aws provision' makes a role that does."
)

Met = Literal["yes", "no", "unclear"]


def role(config: Config, names: AwsNames) -> Iterator[Check]:
    """Check the role, and what it may do."""
    iam = clients.client("iam", config.aws)
    # A path may stand before the name.
    name = names.role_arn.rpartition("/")[2]
    try:
        answer = call(
            f"read the role {names.role_arn}",
            lambda: iam.get_role(RoleName=name),
            Meaning.MISSING,
        )
    except BasketwiseError as error:
        yield unknown("role", error)
    else:
        if answer is None:
            text = f"There is no role {names.role_arn}."
            yield Check("role", "failed", text, MAKE, exit_code=3)
            return
        described: Any = answer["Role"]
        if described["Arn"] != names.role_arn:
            # Of another account, or of another path.
            text = f"There is no role {names.role_arn} here, but {described['Arn']}."
            yield Check("role", "failed", text, "Set aws.role_arn to a role of this account.")
            return
        state, text = trust(described["AssumeRolePolicyDocument"], names.account_id)
        fix = "" if state == "ok" else FIX
        yield Check("role", state, f"{names.role_arn}: {text}", fix, exit_code=3)
    yield guarded("rights", lambda: rights(iam, config, names), unknown)


def trust(policy: Mapping[str, Any], account_id: str) -> tuple[State, str]:
    """Judge by its trust policy whether SageMaker may assume a role for an account.

    It is ``warning`` where that rests on conditions that are not judged here.

    Examples
    --------
    >>> trust({"Statement": {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"},
    ...                      "Action": "sts:AssumeRole"}}, "123456789012")
    ('ok', 'SageMaker may assume it')
    """
    effects: dict[str, set[Met]] = {"Allow": set(), "Deny": set()}
    for statement in _several(policy.get("Statement", [])):
        if _covers_sagemaker(statement):
            met = _met(statement.get("Condition", {}), account_id)
            effects[str(statement.get("Effect"))].add(met)
    allowed, denied = effects["Allow"], effects["Deny"]
    if "yes" in denied:
        return "failed", "SageMaker is denied to assume it"
    if "unclear" in denied or ("unclear" in allowed and "yes" not in allowed):
        return "warning", "SageMaker may assume it on conditions that are not judged here"
    if "yes" in allowed:
        return "ok", "SageMaker may assume it"
    if "no" in allowed:
        return "failed", "SageMaker may assume it, but not for this account"
    return "failed", "SageMaker may not assume it"


def _covers_sagemaker(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal", {})
    services = _several(principal.get("Service", [])) if isinstance(principal, Mapping) else []
    actions = _several(statement.get("Action", []))
    return SERVICE in services and any(
        fnmatchcase(ASSUME.lower(), str(action).lower()) for action in actions
    )


def _met(conditions: Mapping[str, Mapping[str, Any]], account_id: str) -> Met:
    """Judge conditions on the account; SageMaker's own requests decide all others."""
    judged: Met = "yes"
    for operator, keys in conditions.items():
        for key, expected in keys.items():
            if key.lower() != "aws:sourceaccount" or operator not in {"StringEquals", "StringLike"}:
                judged = "unclear"
            elif not any(fnmatchcase(account_id, str(item)) for item in _several(expected)):
                return "no"
    return judged


def _several(value: Any) -> list[Any]:
    """Return a list, whether one or several were written."""
    return value if isinstance(value, list) else [value]
