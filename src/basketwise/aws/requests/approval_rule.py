"""The rule of EventBridge that starts a rollout when a version is approved or rejected."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

PACKAGE_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:[0-9]{12}:model-package/([^/]+)/\d+")
"""What a version is called that is registered in SageMaker; its group."""

DETAIL_TYPE = "SageMaker Model Package State Change"


def approval_rule(version_uri: str, endpoint: str) -> dict[str, Any] | None:
    """Return parameters of ``put_rule``; None for a version that is not registered in SageMaker.

    A rejection counts too: the endpoint has to go back to the version before.

    Examples
    --------
    >>> arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/models/3"
    >>> approval_rule(arn, "retail-api")["Name"]
    'retail-api-rollout'
    """
    package = PACKAGE_ARN.fullmatch(version_uri)
    if package is None:
        return None
    pattern: Mapping[str, Any] = {
        "source": ["aws.sagemaker"],
        "detail-type": [DETAIL_TYPE],
        "detail": {
            "ModelPackageGroupName": [package[1]],
            "ModelApprovalStatus": ["Approved", "Rejected"],
        },
    }
    return {
        "Name": f"{endpoint}-rollout"[:64],
        "Description": f"Starts the rollout of {package[1]} to {endpoint}.",
        "EventPattern": json.dumps(pattern),
    }
