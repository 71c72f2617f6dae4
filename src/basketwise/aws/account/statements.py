"""Statements of IAM policies."""

from __future__ import annotations

from typing import Any

PASSED_TO = "iam:PassedToService"
BOUNDARY = "iam:PermissionsBoundary"
FOR_A_SERVICE = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
"""Condition of a grant that only a service of AWS can use."""


def actions(text: str) -> list[str]:
    """Return IAM actions; a service is named once, with its first action.

    Examples
    --------
    >>> actions("s3:GetObject PutObject iam:GetRole")
    ['s3:GetObject', 's3:PutObject', 'iam:GetRole']
    """
    service, qualified = "", []
    for word in text.split():
        named, _, verb = word.rpartition(":")
        service = named or service
        qualified.append(f"{service}:{verb}")
    return qualified


def allow(
    sid: str, allowed: str, resource: str | list[str], equal: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return a statement that allows actions, as :func:`actions` reads them, on resources.

    ``equal`` are condition keys with the only value that each may have.
    """
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions(allowed), "Resource": resource}
    return statement | ({"Condition": {"StringEquals": equal}} if equal else {})
