"""The role of the jobs: whether it exists, and whether SageMaker may assume it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
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

ROLE_HINT = "'basketwise aws provision' creates such a role; or set aws.role_arn to another one."
FIX = (
    f"Let its trust policy allow {ASSUME} to the service {SERVICE}; "
    "'basketwise aws provision' creates a role that does."
)

Holds = Literal["yes", "no", "unclear"]


def role(config: Config, names: AwsNames) -> Iterator[Check]:
    """Check the role and its permissions."""
    iam = clients.client("iam", config.aws)
    # A path may precede the name.
    name = names.role_arn.rpartition("/")[2]
    try:
        read = partial(iam.get_role, RoleName=name)
        answer = call(f"read the role {names.role_arn}", read, Meaning.MISSING)
    except BasketwiseError as error:
        yield unknown("role", error)
    else:
        if answer is None:
            text = f"There is no role {names.role_arn}."
            yield Check("role", "failed", text, ROLE_HINT, exit_code=3)
            return
        described: Any = answer["Role"]
        if described["Arn"] != names.role_arn:
            # Of another account, or of another path.
            text = f"There is no role {names.role_arn} in this account, only {described['Arn']}."
            yield Check("role", "failed", text, "Set aws.role_arn to a role of this account.")
            return
        state, text = trust(described["AssumeRolePolicyDocument"], names.account_id)
        fix = "" if state == "ok" else FIX
        yield Check("role", state, f"{names.role_arn}: {text}", fix, exit_code=3)
    yield guarded("rights", lambda: rights(iam, config, names), unknown)


def trust(policy: Mapping[str, Any], account_id: str) -> tuple[State, str]:
    """Check by its trust policy whether SageMaker may assume a role for an account.

    The state is ``warning`` if that depends on conditions that are not evaluated here.

    Examples
    --------
    >>> trust({"Statement": {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"},
    ...                      "Action": "sts:AssumeRole"}}, "123456789012")
    ('ok', 'SageMaker may assume it')
    """
    effects: dict[str, set[Holds]] = {"Allow": set(), "Deny": set()}
    for statement in _as_list(policy.get("Statement", [])):
        if _covers_sagemaker(statement):
            holds = _holds(statement.get("Condition", {}), account_id)
            effects[str(statement.get("Effect"))].add(holds)
    allowed, denied = effects["Allow"], effects["Deny"]
    if "yes" in denied:
        return "failed", "SageMaker is denied permission to assume it"
    if "unclear" in denied or ("unclear" in allowed and "yes" not in allowed):
        return "warning", "SageMaker may assume it under conditions that are not evaluated here"
    if "yes" in allowed:
        return "ok", "SageMaker may assume it"
    if "no" in allowed:
        return "failed", "SageMaker may assume it, but not for this account"
    return "failed", "SageMaker may not assume it"


def _covers_sagemaker(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal", {})
    services = _as_list(principal.get("Service", [])) if isinstance(principal, Mapping) else []
    actions = _as_list(statement.get("Action", []))
    return SERVICE in services and any(
        fnmatchcase(ASSUME.lower(), str(action).lower()) for action in actions
    )


def _holds(conditions: Mapping[str, Mapping[str, Any]], account_id: str) -> Holds:
    """Evaluate conditions on the account; all others depend on SageMaker's own requests."""
    result: Holds = "yes"
    for operator, keys in conditions.items():
        for key, expected in keys.items():
            if key.lower() != "aws:sourceaccount" or operator not in {"StringEquals", "StringLike"}:
                result = "unclear"
            elif not any(fnmatchcase(account_id, str(item)) for item in _as_list(expected)):
                return "no"
    return result


def _as_list(value: Any) -> list[Any]:
    """Return a list; a policy may have a single value instead of one."""
    return value if isinstance(value, list) else [value]
