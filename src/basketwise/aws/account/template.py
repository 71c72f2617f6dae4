"""The CloudFormation template: as it is shipped, and as it is sent for one project.

CloudFormation adopts a resource that exists already only where the template has its name itself,
not a reference to a parameter. So names are written into the template before it is sent, as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from basketwise.aws.names import AwsNames, own_tags, partition

ROLE, BUCKET, POLICY, GROUP = "ExecutionRole", "Bucket", "BucketPolicy", "ModelPackageGroup"
"""Resources that may exist already."""

NO_VALUE = {"Ref": "AWS::NoValue"}


def stack_name(names: AwsNames) -> str:
    """Return the name of a project's stack: ``<project>-<environment>``."""
    return f"{names.project}-{names.environment}"


def role_name(names: AwsNames) -> str:
    """Return the name of the execution role that the stack creates."""
    return f"{stack_name(names)}-sagemaker-execution"


def owner_tag(names: AwsNames) -> dict[str, str]:
    """Return the tag that the stack gives to the bucket, the role and the group it creates."""
    return {"Key": "ManagedBy", "Value": f"basketwise/{stack_name(names)}"}


def shipped() -> str:
    """Return the template as it is shipped, in YAML, for any project."""
    file = resources.files("basketwise.aws.account") / "template.yaml"
    return file.read_text(encoding="utf-8")


def parsed(text: str) -> dict[str, Any]:
    """Return a template in YAML as a document, short forms of functions written out.

    Examples
    --------
    >>> parsed('{A: !Ref B, C: !GetAtt D.E, F: !If [G, 1, !Sub "${H}"]}')
    {'A': {'Ref': 'B'}, 'C': {'Fn::GetAtt': ['D', 'E']}, 'F': {'Fn::If': ['G', 1, \
{'Fn::Sub': '${H}'}]}}
    """
    loader = _loader()(text)
    try:
        document: dict[str, Any] = loader.get_single_data()
        return document
    finally:
        loader.dispose()


@cache
def _loader() -> Any:
    import yaml  # type: ignore[import-untyped]

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Reads YAML with CloudFormation's functions."""

    def function(loader: Any, name: str, node: Any) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            value: Any = loader.construct_scalar(node)
        else:
            value = loader.construct_sequence(node, deep=True)
        if name == "GetAtt":
            value = value.split(".", 1)
        return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}

    Loader.add_multi_constructor("!", function)
    return Loader


def rendered(names: AwsNames, text: str) -> str:
    """Return a template for a project, in JSON: with the names themselves, and the user's own tags.

    Raises KeyError if the template has no such resource.
    """
    document = parsed(text)
    made = document["Resources"]
    literal = {
        (BUCKET, "BucketName"): names.bucket,
        (POLICY, "Bucket"): names.bucket,
        (GROUP, "ModelPackageGroupName"): names.group,
        (ROLE, "RoleName"): role_name(names),
    }
    for (resource, name), value in literal.items():
        made[resource]["Properties"][name] = value
    # What a reference would have said.
    made[POLICY]["DependsOn"] = BUCKET
    own = own_tags(names)
    for resource in made.values():
        for tags in _tags(resource["Properties"]):
            tags.extend(own)
    return json.dumps(document, separators=(",", ":"))


def _tags(properties: Mapping[str, Any]) -> Sequence[list[Any]]:
    """Return the lists of tags of a resource, be they conditional or not."""
    tags = properties.get("Tags", [])
    if isinstance(tags, Mapping):
        return [branch for branch in tags["Fn::If"][1:] if branch != NO_VALUE]
    return [tags] if tags else []


def role_policies(
    names: AwsNames, text: str, parameters: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the policies of the execution role by name, as a stack with parameters has them."""
    document = parsed(text)
    values: dict[str, Any] = {
        **parameters,
        "AWS::AccountId": names.account_id,
        "AWS::Partition": partition(names.region),
        "AWS::Region": names.region,
    }
    for name, declared in document["Parameters"].items():
        value = values.setdefault(name, declared.get("Default", ""))
        if declared["Type"] == "CommaDelimitedList":
            values[name] = [item for item in value.split(",") if item]
    conditions = evaluated_conditions(document["Conditions"], values)
    policies = document["Resources"][ROLE]["Properties"]["Policies"]
    return {
        item["PolicyName"]: resolved(item["PolicyDocument"], values, conditions)
        for item in policies
    }


def evaluated_conditions(tests: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, bool]:
    """Return whether each of the template's conditions holds for the values of parameters."""

    def holds(test: Mapping[str, Any]) -> bool:
        if "Condition" in test:
            return holds(tests[test["Condition"]])
        if "Fn::Not" in test:
            return not holds(test["Fn::Not"][0])
        if "Fn::Or" in test:
            return any(map(holds, test["Fn::Or"]))
        left, right = (resolved(side, values, {}) for side in test["Fn::Equals"])
        return bool(left == right)

    return {name: holds(test) for name, test in tests.items()}


def resolved(value: Any, values: Mapping[str, Any], conditions: Mapping[str, bool]) -> Any:
    """Return a part of the template with references, texts and conditions resolved."""
    if isinstance(value, list):
        chosen = (resolved(item, values, conditions) for item in value)
        return [item for item in chosen if item is not None]
    if not isinstance(value, dict):
        return value
    if value == NO_VALUE:
        return None
    if "Ref" in value:
        return values[value["Ref"]]
    if "Fn::Sub" in value:
        return re.sub(r"\$\{([\w:]+)\}", lambda match: str(values[match[1]]), value["Fn::Sub"])
    if "Fn::Join" in value:
        between, items = value["Fn::Join"]
        return between.join(resolved(items, values, conditions))
    if "Fn::If" in value:
        condition, then, otherwise = value["Fn::If"]
        return resolved(then if conditions[condition] else otherwise, values, conditions)
    return {key: resolved(item, values, conditions) for key, item in value.items()}
