"""The role that jobs run under: whether it is there, and whether SageMaker may assume it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal

from basketwise.aws import clients
from basketwise.aws.checks.account import unknown
from basketwise.aws.checks.rights import rights
from basketwise.aws.errors import ask, missing
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

Holds = Literal["yes", "no", "unclear"]


def role(config: Config, names: AwsNames) -> Iterator[Check]:
    """Look at the role, and at what it may do."""
    iam = clients.client("iam", config.aws)
    # A path may stand before the name.
    name = names.role_arn.rpartition("/")[2]
    try:
        answer = ask(
            f"look at the role {names.role_arn}", lambda: iam.get_role(RoleName=name), missing
        )
    except BasketwiseError as error:
        yield unknown("role", error)
    else:
        if answer is None:
            text = f"There is no role {names.role_arn}."
            yield Check("role", "failed", text, MAKE, exit_code=3)
            return
        found: Any = answer["Role"]
        if found["Arn"] != names.role_arn:
            # Of another account, or of another path.
            text = f"There is no role {names.role_arn} here, but {found['Arn']}."
            yield Check("role", "failed", text, "Set aws.role_arn to a role of this account.")
            return
        yield _trusted(found["AssumeRolePolicyDocument"], names)
    yield guarded("rights", lambda: rights(iam, config, names), unknown)


def _trusted(policy: Mapping[str, Any], names: AwsNames) -> Check:
    state, text = trust(policy, names.account_id)
    fix = "" if state == "ok" else FIX
    return Check("role", state, f"{names.role_arn}: {text}", fix, exit_code=3)


def trust(policy: Mapping[str, Any], account_id: str) -> tuple[State, str]:
    """Judge whether SageMaker may assume a role.

    Parameters
    ----------
    policy : mapping
        The role's trust policy.
    account_id : str
        Of the account that SageMaker acts for.

    Returns
    -------
    tuple
        ``ok``, ``failed``, or ``warning`` where it rests on conditions that are not judged here;
        and that in words.

    Examples
    --------
    >>> trust({"Statement": {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"},
    ...                      "Action": "sts:AssumeRole"}}, "123456789012")
    ('ok', 'SageMaker may assume it')
    """
    found: dict[str, set[Holds]] = {"Allow": set(), "Deny": set()}
    for statement in _several(policy.get("Statement", [])):
        if _speaks_of_sagemaker(statement):
            holds = _holds(statement.get("Condition", {}), account_id)
            found[str(statement.get("Effect"))].add(holds)
    allowed, denied = found["Allow"], found["Deny"]
    if "yes" in denied:
        return "failed", "SageMaker is denied to assume it"
    if "unclear" in denied or ("unclear" in allowed and "yes" not in allowed):
        return "warning", "SageMaker may assume it on conditions that are not judged here"
    if "yes" in allowed:
        return "ok", "SageMaker may assume it"
    if "no" in allowed:
        return "failed", "SageMaker may assume it, but not for this account"
    return "failed", "SageMaker may not assume it"


def _speaks_of_sagemaker(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal", {})
    services = _several(principal.get("Service", [])) if isinstance(principal, Mapping) else []
    actions = _several(statement.get("Action", []))
    return SERVICE in services and any(
        fnmatchcase(ASSUME.lower(), str(action).lower()) for action in actions
    )


def _holds(conditions: Mapping[str, Mapping[str, Any]], account_id: str) -> Holds:
    """Judge conditions on the account; SageMaker's own requests decide all others."""
    judged: Holds = "yes"
    for operator, keys in conditions.items():
        for key, expected in keys.items():
            if key.lower() != "aws:sourceaccount" or operator not in {"StringEquals", "StringLike"}:
                judged = "unclear"
            elif not any(fnmatchcase(account_id, str(one)) for one in _several(expected)):
                return "no"
    return judged


def _several(value: Any) -> list[Any]:
    """Return a list, whether one or several were written."""
    return value if isinstance(value, list) else [value]
