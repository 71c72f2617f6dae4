"""Writes down what boto3 clients are asked, as the IAM actions that AWS would check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from basketwise.aws import clients
from basketwise.aws.names import AwsNames
from tests.aws.service_model import check

EVERY_CALL = "provide-client-params.*.*"
"""botocore's event before a request is built."""

PASSED = "iam:PassedToService"

S3_ACTIONS = {
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
}
"""Where the action has another name than the call (AWS, Service Authorization Reference, 2025)."""

WITHOUT_RESOURCE = {
    "sagemaker:ListEndpointConfigs",
    "sagemaker:ListEndpoints",
    "sagemaker:ListModelPackages",
    "sagemaker:ListModels",
    "sagemaker:ListProcessingJobs",
    "sagemaker:ListTrainingJobs",
    "servicequotas:ListServiceQuotas",
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    *(
        f"ec2:Describe{kind}"
        for kind in (
            *("DhcpOptions", "NetworkInterfaces", "RouteTables", "SecurityGroups", "Subnets"),
            *("VpcEndpoints", "Vpcs"),
        )
    ),
    "sns:GetSubscriptionAttributes",
    "sns:Unsubscribe",
}
"""Actions whose policy can name no resource."""

FREE = {"sts:GetCallerIdentity"}
"""Needs no permission."""

SAGEMAKER_KINDS = {
    "ProcessingJobName": "processing-job",
    "TrainingJobName": "training-job",
    "PipelineName": "pipeline",
    "ModelPackageName": "model-package",
    "ModelPackageGroupName": "model-package-group",
    "ModelName": "model",
    "EndpointConfigName": "endpoint-config",
    "EndpointName": "endpoint",
}


@dataclass(frozen=True)
class Call:
    """One action on one resource.

    Attributes
    ----------
    who
        Whose policy must allow it: ``provision``, ``run``, ``role`` or ``schedule``.
    origin
        What makes the call.
    context
        Condition keys with their values.
    """

    who: str
    action: str
    resource: str
    origin: str = "recorded"
    context: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.who}: {self.action} on {self.resource}"


@dataclass
class Recorder:
    """Watches clients; ``calls`` holds what they were asked, in order.

    Each request is held against the service's own model, as strictly as the double does.
    ``context`` has condition keys that no request tells.
    """

    who: str
    names: AwsNames
    calls: list[Call] = field(default_factory=list)
    context: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def watching(self, *clients: Any) -> Iterator[None]:
        """Write down every call of some clients."""
        for client in clients:
            client.meta.events.register(EVERY_CALL, self._note)
        try:
            yield
        finally:
            for client in clients:
                client.meta.events.unregister(EVERY_CALL, self._note)

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """Write down every call of the clients that the product opens meanwhile."""
        opened = clients.client
        with (
            ExitStack() as watched,
            mock.patch.object(clients, "client", lambda *arguments: recorded(opened(*arguments))),
        ):

            def recorded(client: Any) -> Any:
                watched.enter_context(self.watching(client))
                return client

            yield

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        # Of a client of the product, so in its own call: a wrong request fails where it is made.
        check(model.service_model.service_name, model.name, as_sent(params))
        signing = model.service_model.signing_name
        # IAM calls it otherwise than its signatures do.
        service = {"monitoring": "cloudwatch"}.get(signing, signing)
        self.calls += [
            Call(self.who, action, resource, context={**self.context, **context})
            for action, resource, context in actions(service, model.name, params, self.names)
        ]


def as_sent(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request without boto3's conveniences: what the service's model describes."""
    sent = dict(params)
    source = sent.get("CopySource")
    if isinstance(source, Mapping):
        sent["CopySource"] = f"{source['Bucket']}/{source['Key']}"
    if hasattr(sent.get("Body"), "read"):
        # A stream must be read once only, by botocore.
        sent["Body"] = b""
    return sent


def actions(
    service: str, operation: str, params: Mapping[str, Any], names: AwsNames
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Give action, resource and context of each check that AWS makes for a call."""
    if service == "s3":
        for action, resource in _s3(operation, params):
            yield f"s3:{action}", resource, {}
        return
    action = f"{service}:{operation}"
    if action in FREE:
        return
    resource = "*" if action in WITHOUT_RESOURCE else _resource(service, params, names)
    yield action, resource, {}
    if service == "cloudformation" and "Tags" in params:
        # Those that a stack has no more are removed.
        yield "cloudformation:TagResource", resource, {}
        yield "cloudformation:UntagResource", resource, {}
    if service == "cloudwatch" and params.get("Tags"):
        yield "cloudwatch:TagResource", resource, {}
    if service == "sagemaker" and operation.startswith(("Create", "Update")):
        if params.get("Tags"):
            yield "sagemaker:AddTags", resource, {}
        for role in (params.get("RoleArn"), params.get("ExecutionRoleArn")):
            if role:
                yield "iam:PassRole", role, {PASSED: "sagemaker.amazonaws.com"}
        # SageMaker uses the key of a volume by a grant.
        for key in volume_keys(operation, params):
            yield "kms:CreateGrant", key, {"kms:GrantIsForAWSResource": "true"}


def volume_keys(operation: str, params: Mapping[str, Any]) -> Iterator[str]:
    """Give the keys that a request has volumes encrypted with."""
    cluster = (params.get("ProcessingResources") or {}).get("ClusterConfig") or {}
    for resources in (cluster, params.get("ResourceConfig") or {}):
        if "VolumeKmsKeyId" in resources:
            yield str(resources["VolumeKmsKeyId"])
    if operation == "CreateEndpointConfig" and "KmsKeyId" in params:
        yield str(params["KmsKeyId"])


def _s3(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    bucket = f"arn:aws:s3:::{params['Bucket']}"
    action = S3_ACTIONS.get(operation, operation)
    if operation == "DeleteObjects":
        for item in params["Delete"]["Objects"]:
            yield _versioned(action, item), f"{bucket}/{item['Key']}"
    elif operation == "CopyObject":
        source = params["CopySource"]
        from_where = source if isinstance(source, str) else f"{source['Bucket']}/{source['Key']}"
        yield "GetObject", f"arn:aws:s3:::{from_where}"
        yield "PutObject", f"{bucket}/{params['Key']}"
    else:
        key = f"/{params['Key']}" if "Key" in params else ""
        yield _versioned(action, params), bucket + key


def _versioned(action: str, params: Mapping[str, Any]) -> str:
    return f"{action}Version" if params.get("VersionId") else action


def _resource(service: str, params: Mapping[str, Any], names: AwsNames) -> str:
    scope = f"{names.region}:{names.account_id}"
    for key in ("ResourceArn", "PipelineExecutionArn", "ModelPackageArn", "PolicySourceArn"):
        if key in params:
            return str(params[key])
    if service == "cloudformation":
        stack = str(params["StackName"])
        return (
            stack if stack.startswith("arn:") else f"arn:aws:cloudformation:{scope}:stack/{stack}/1"
        )
    if service == "logs":
        stream = params.get("logStreamName", "")
        group = params.get("logGroupName", params.get("logGroupNamePrefix"))
        return f"arn:aws:logs:{scope}:log-group:{group}:log-stream:{stream}"
    if service == "kms":
        return str(params["KeyId"])
    if service == "iam":
        return f"arn:aws:iam::{names.account_id}:role/{params['RoleName']}"
    if service == "cloudwatch":
        return names.arn_of("cloudwatch", f"alarm:{params['AlarmName']}")
    if service == "application-autoscaling":
        return names.arn_of("application-autoscaling", "scalable-target/x")
    if service == "sagemaker":
        for key, kind in SAGEMAKER_KINDS.items():
            if key in params:
                name = str(params[key])
                return name if name.startswith("arn:") else names.arn(f"{kind}/{name}")
    raise AssertionError(f"{service} is asked with {sorted(params)}: teach recording.py about it")
