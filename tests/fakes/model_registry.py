"""SageMaker Model Registry as far as the registry needs it, behind a real boto3 client."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from tests.aws.service_model import check

ACCOUNT, REGION = "123456789012", "eu-west-1"
LATER = ("ModelApprovalStatus", "ApprovalDescription")


class RefusedError(Exception):
    """An answer other than 200: code, message."""


@dataclass
class ModelRegistryDouble:
    """Groups, and the packages of each in the order they were made.

    Attributes
    ----------
    calls
        Every call: operation and what botocore sent.
    page
        Versions that one list holds at most.
    refusals
        Code and message that a call is refused with, by operation.
    """

    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    packages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    page: int = 3
    refusals: dict[str, tuple[str, str]] = field(default_factory=dict)

    def client(self) -> Any:
        """Return a boto3 client whose requests are checked and answered here."""
        made = _session().client("sagemaker", endpoint_url="http://127.0.0.1:9")
        made.meta.events.register("provide-client-params.sagemaker", self._check)
        made.meta.events.register("before-call.sagemaker", self._call)
        return made

    def set_in_console(self, group: str, version: str, status: str, comment: str | None) -> None:
        """Change a status as somebody would who does not know of Basketwise."""
        package = self._package(_arn("model-package", f"{group}/{version}"))
        package["ModelApprovalStatus"] = status
        if comment is not None:
            package["ApprovalDescription"] = comment
        package["LastModifiedTime"] = datetime.now(UTC)
        package["LastModifiedBy"] = {"UserProfileName": "zoe"}

    def delete_in_console(self, group: str, version: str) -> None:
        """Delete a version as somebody would who does not know of Basketwise."""
        arn = _arn("model-package", f"{group}/{version}")
        self.packages[group] = [p for p in self.packages[group] if p["ModelPackageArn"] != arn]

    def delete_group_in_console(self, group: str) -> None:
        """Delete a group with all its versions."""
        del self.groups[group], self.packages[group]

    def _check(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        check("sagemaker", model.name, params)

    def _call(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        sent = json.loads(params["body"])
        self.calls.append((model.name, sent))
        try:
            if model.name in self.refusals:
                raise RefusedError(*self.refusals[model.name])
            return SimpleNamespace(status_code=200), getattr(self, model.name)(sent)
        except RefusedError as error:
            code, message = error.args
            return SimpleNamespace(status_code=400), {
                "Error": {"Code": code, "Message": message},
                "ResponseMetadata": {},
            }

    def CreateModelPackageGroup(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = sent["ModelPackageGroupName"]
        if name in self.groups:
            raise RefusedError("ValidationException", "Model Package Group already exists.")
        self.groups[name], self.packages[name] = sent, []
        return {"ModelPackageGroupArn": _arn("model-package-group", name)}

    def DescribeModelPackageGroup(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = self._group(sent)
        return {"ModelPackageGroupName": name}

    def CreateModelPackage(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = self._group(sent)
        # SageMaker gives no number twice while the group exists.
        numbers = [package["ModelPackageVersion"] for package in self.packages[name]]
        number = max([*numbers, self.groups[name].get("last", 0)]) + 1
        self.groups[name]["last"] = number
        made = sent | {
            "ModelPackageArn": _arn("model-package", f"{name}/{number}"),
            "ModelPackageVersion": number,
            "ModelPackageStatus": "Completed",
            "CreationTime": datetime.now(UTC),
        }
        self.packages[name].append(made)
        return {"ModelPackageArn": made["ModelPackageArn"]}

    def DescribeModelPackage(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return dict(self._package(sent["ModelPackageName"]))

    def UpdateModelPackage(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        package = self._package(sent["ModelPackageArn"])
        package |= {name: sent[name] for name in LATER if name in sent}
        package["LastModifiedTime"] = datetime.now(UTC)
        package["LastModifiedBy"] = {"IamIdentity": {"Arn": f"arn:aws:iam::{ACCOUNT}:user/us"}}
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def ListModelPackages(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        packages = self.packages[self._group(sent)]
        begin = int(sent.get("NextToken", "0"))
        end = begin + min(self.page, sent.get("MaxResults", 10))
        keys = (
            "ModelPackageArn",
            "ModelPackageVersion",
            "CreationTime",
            "ModelPackageStatus",
            "ModelApprovalStatus",
        )
        results = [{key: package[key] for key in keys} for package in packages[begin:end]]
        more = {"NextToken": str(end)} if end < len(packages) else {}
        return {"ModelPackageSummaryList": results} | more

    def _group(self, sent: dict[str, Any]) -> str:
        name: str = sent["ModelPackageGroupName"]
        if name not in self.groups:
            arn = _arn("model-package-group", name)
            raise RefusedError("ValidationException", f"ModelPackageGroup {arn} does not exist.")
        return name

    def _package(self, arn: str) -> dict[str, Any]:
        for package in (item for packages in self.packages.values() for item in packages):
            if package["ModelPackageArn"] == arn:
                return package
        raise RefusedError("ValidationException", f"ModelPackage {arn} does not exist.")


@cache
def _session() -> Any:
    """Make the session once: it takes a second to read SageMaker's service model."""
    import boto3

    return boto3.Session("key", "secret", region_name=REGION)


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"
