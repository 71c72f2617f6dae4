"""The tags that mark whatever belongs to the project."""

from __future__ import annotations

from basketwise.aws.names import AwsNames

PROJECT = "RetailPredictionMLOps"
"""What a bill can be grouped by, whatever the resources are called."""


def tags(names: AwsNames, **more: str) -> list[dict[str, str]]:
    """Return the tags of a resource, as boto3 takes them.

    Parameters
    ----------
    names : AwsNames
        Names of everything.
    **more : str
        Further tags.
    """
    values = {"Project": PROJECT, "Environment": names.environment, **more}
    return [{"Key": key, "Value": value} for key, value in values.items()]
