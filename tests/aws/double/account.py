"""Whose account it is, what its role may do, and how much of what it may use."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.aws.double.service import flat
from tests.aws.iam_rules import allows
from tests.fakes.model_registry import ACCOUNT, RefusedError

TRUSTED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


class Account:
    """STS, IAM and Service Quotas.

    Attributes
    ----------
    roles
        Trust policy by name of the role.
    refused
        Actions that the roles may not do.
    policy
        What the roles may do; None: all but what is refused.
    quotas
        Instances that may run at once, by the quota's name; others are not listed.
    """

    def __init__(self, *roles: str) -> None:
        self.roles: dict[str, dict[str, Any]] = dict.fromkeys(roles, TRUSTED)
        self.refused: set[str] = set()
        self.policy: Mapping[str, Any] | None = None
        self.quotas: dict[str, float] = {}

    def GetCallerIdentity(self, sent: dict[str, str]) -> dict[str, Any]:  # noqa: N802
        return {"UserId": "U", "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ann"}

    def GetRole(self, sent: dict[str, str]) -> dict[str, Any]:  # noqa: N802
        name = sent["RoleName"]
        if name not in self.roles:
            raise RefusedError("NoSuchEntity", f"The role with name {name} cannot be found.")
        return {
            "Role": {
                "Path": "/",
                "RoleName": name,
                "RoleId": "R",
                "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                "CreateDate": datetime.now(UTC).isoformat(),
                "AssumeRolePolicyDocument": json.dumps(self.roles[name]),
            }
        }

    def SimulatePrincipalPolicy(self, sent: dict[str, str]) -> dict[str, Any]:  # noqa: N802
        source = sent["PolicySourceArn"]
        if source.rpartition("/")[2] not in self.roles:
            raise RefusedError("NoSuchEntity", f"{source} cannot be found.")
        (resource,) = flat(sent, "ResourceArns")
        context = _context(sent)
        return {
            "IsTruncated": False,
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalDecision": "allowed"
                    if self._may(action, resource, context)
                    else "implicitDeny",
                }
                for action in flat(sent, "ActionNames")
            ],
        }

    def ListServiceQuotas(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        """Give two at a time: AWS has more than fit into one answer."""
        assert sent["ServiceCode"] == "sagemaker"
        start, names = int(sent.get("NextToken", 0)), list(self.quotas)
        page = [
            {
                "ServiceCode": "sagemaker",
                "QuotaCode": f"L-{zlib.crc32(name.encode()):08X}",
                "QuotaName": name,
                "Value": self.quotas[name],
            }
            for name in names[start : start + 2]
        ]
        more = {"NextToken": str(start + 2)} if start + 2 < len(names) else {}
        return {"Quotas": page} | more

    def _may(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        if action in self.refused:
            return False
        return self.policy is None or allows(self.policy, action, resource, context)


def _context(sent: Mapping[str, str]) -> dict[str, str]:
    entries = "ContextEntries.member"
    page: dict[str, str] = {}
    while name := sent.get(f"{entries}.{len(page) + 1}.ContextKeyName"):
        page[name] = sent[f"{entries}.{len(page) + 1}.ContextKeyValues.member.1"]
    return page
