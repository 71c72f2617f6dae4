"""Stacks as CloudFormation makes them where resources exist already, which moto does not know.

It adopts what the template names itself and retains (Amazon Web Services, CloudFormation User
Guide, Import AWS resources into a stack automatically), leaves it as it is, and refuses the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from basketwise.aws.account import template as templates
from tests.aws.calls import ACCOUNT, SCOPE

IDENTIFIED_BY = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::IAM::Role": "RoleName",
    "AWS::SageMaker::ModelPackageGroup": "ModelPackageGroupName",
}
NOT_ADOPTED = {"AWS::SageMaker::ModelPackageGroup"}
"""Identified by an ARN, which is read-only."""


@dataclass
class Stack:
    """A stack: its resources as they were last asked for, by name."""

    name: str
    resources: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    status: str = "REVIEW_IN_PROGRESS"

    @property
    def arn(self) -> str:
        return f"arn:aws:cloudformation:{SCOPE}:stack/{self.name}/1"


class StackDouble:
    """The client of CloudFormation; the resources are in the clients that it is given.

    Attributes
    ----------
    refused
        Why a change set failed last.
    """

    def __init__(self, iam: Any, s3: Any, sagemaker: Any) -> None:
        self.iam, self.s3, self.sagemaker = iam, s3, sagemaker
        self.stacks: dict[str, Stack] = {}
        self.refused = ""
        self._wanted: dict[str, Any] = {}
        self._parameters: dict[str, str] = {}
        self._changes: list[dict[str, Any]] = []
        self._tags: list[dict[str, str]] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        stack = self._stack(StackName)
        parameters = [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in stack.parameters.items()
        ]
        described = {"StackId": stack.arn, "StackStatus": stack.status, "Parameters": parameters}
        return {"Stacks": [{**described, "Tags": stack.tags}]}

    def create_change_set(self, **sent: Any) -> dict[str, str]:
        assert sent["ImportExistingResources"]
        stack = self.stacks.setdefault(sent["StackName"], Stack(sent["StackName"]))
        self._parameters = {
            item["ParameterKey"]: item["ParameterValue"] for item in sent["Parameters"]
        }
        self._tags = sent.get("Tags", stack.tags)
        document = json.loads(sent["TemplateBody"])
        self._wanted, self._changes, self.refused = self._resources(document), [], ""
        for name, wanted in self._wanted.items():
            before = stack.resources.get(name)
            if before is None:
                self._changes.append(self._arrival(name, wanted, document["Resources"][name]))
            elif before != wanted:
                self._changes.append(_change("Modify", name, wanted))
        self._changes += [
            _change("Remove", name, stack.resources[name])
            for name in stack.resources.keys() - self._wanted.keys()
        ]
        if not self._changes:
            self.refused = "The submitted information didn't contain changes."
        return {"Id": f"arn:aws:cloudformation:{SCOPE}:changeSet/x/1", "StackId": stack.arn}

    def get_paginator(self, operation: str) -> StackDouble:
        assert operation == "describe_change_set"
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        if self.refused:
            return [{"Status": "FAILED", "StatusReason": self.refused, "Changes": []}]
        return [{"Status": "CREATE_COMPLETE", "Changes": self._changes}]

    def execute_change_set(self, StackName: str, **_: Any) -> None:
        stack = self._stack(StackName)
        for item in self._changes:
            change = item["ResourceChange"]
            if change["Action"] == "Add":
                self._make(change["ResourceType"], self._wanted[change["LogicalResourceId"]])
        stack.resources, stack.parameters = self._wanted, self._parameters
        stack.tags = self._tags
        stack.status = "CREATE_COMPLETE"

    def delete_change_set(self, **_: Any) -> None:
        """Nothing lies there."""

    def delete_stack(self, StackName: str) -> None:
        stack = self._stack(StackName)
        for wanted in stack.resources.values():
            assert wanted.get("DeletionPolicy") == "Retain" or "Role" not in wanted["Type"]
        del self.stacks[stack.name]

    def _stack(self, name: str) -> Stack:
        for stack in self.stacks.values():
            if name in (stack.name, stack.arn):
                return stack
        error: Any = {"Code": "ValidationError", "Message": f"Stack with id {name} does not exist"}
        raise ClientError({"Error": error}, "DescribeStacks")

    def _resources(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the template wants, resolved."""
        values: dict[str, Any] = {
            **self._parameters,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": SCOPE.partition(":")[0],
        }
        for name, declared in document["Parameters"].items():
            value = values.setdefault(name, declared.get("Default", ""))
            assert name in self._parameters or "Default" in declared
            if declared["Type"] == "CommaDelimitedList":
                values[name] = [item for item in value.split(",") if item]
        holds = templates.evaluated_conditions(document["Conditions"], values)
        return {
            name: templates.resolved(
                {key: value for key, value in resource.items() if key != "Condition"},
                values,
                holds,
            )
            for name, resource in document["Resources"].items()
            if holds.get(resource.get("Condition"), True) and name in _KNOWN
        }

    def _arrival(self, name: str, wanted: Any, shipped: Mapping[str, Any]) -> dict[str, Any]:
        kind = wanted["Type"]
        key = IDENTIFIED_BY[kind]
        if not self._exists(kind, wanted["Properties"][key]):
            return _change("Add", name, wanted)
        literal = isinstance(shipped["Properties"][key], str)
        if kind in NOT_ADOPTED or not literal or wanted.get("DeletionPolicy") != "Retain":
            self.refused = f"{wanted['Properties'][key]} already exists"
        return _change("Import", name, wanted)

    def _exists(self, kind: str, name: str) -> bool:
        reads = {
            "AWS::S3::Bucket": lambda: self.s3.get_bucket_location(Bucket=name),
            "AWS::S3::BucketPolicy": lambda: self.s3.get_bucket_policy(Bucket=name),
            "AWS::IAM::Role": lambda: self.iam.get_role(RoleName=name),
            "AWS::SageMaker::ModelPackageGroup": lambda: (
                self.sagemaker.describe_model_package_group(ModelPackageGroupName=name)
            ),
        }
        try:
            reads[kind]()
        except ClientError:
            return False
        return True

    def _make(self, kind: str, wanted: Mapping[str, Any]) -> None:
        properties = wanted["Properties"]
        if kind == "AWS::S3::Bucket":
            self.s3.create_bucket(
                Bucket=properties["BucketName"],
                CreateBucketConfiguration={"LocationConstraint": SCOPE.partition(":")[0]},
            )
            self.s3.put_bucket_tagging(
                Bucket=properties["BucketName"], Tagging={"TagSet": properties["Tags"]}
            )
        elif kind == "AWS::S3::BucketPolicy":
            self.s3.put_bucket_policy(
                Bucket=properties["Bucket"], Policy=json.dumps(properties["PolicyDocument"])
            )
        elif kind == "AWS::IAM::Role":
            self.iam.create_role(
                RoleName=properties["RoleName"],
                AssumeRolePolicyDocument=json.dumps(properties["AssumeRolePolicyDocument"]),
                Tags=properties["Tags"],
            )
            for policy in properties["Policies"]:
                self.iam.put_role_policy(
                    RoleName=properties["RoleName"],
                    PolicyName=policy["PolicyName"],
                    PolicyDocument=json.dumps(policy["PolicyDocument"]),
                )
        else:
            self.sagemaker.create_model_package_group(
                ModelPackageGroupName=properties["ModelPackageGroupName"],
                Tags=properties["Tags"],
            )


_KNOWN = (templates.BUCKET, templates.POLICY, templates.GROUP, templates.ROLE)


def _change(action: str, name: str, resource: Mapping[str, Any]) -> dict[str, Any]:
    properties = resource["Properties"]
    physical = properties[IDENTIFIED_BY[resource["Type"]]] if action != "Add" else None
    change = {
        "Action": action,
        "LogicalResourceId": name,
        "ResourceType": resource["Type"],
        "PhysicalResourceId": physical,
    }
    return {"Type": "Resource", "ResourceChange": change}
