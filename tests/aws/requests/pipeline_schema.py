"""AWS's published schema of pipeline definitions, and where what is sent departs from it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

Document = dict[str, Any]

SCHEMA = Path(
    os.environ.get("BASKETWISE_PIPELINE_SCHEMA")
    or Path(__file__).parents[3] / "../shared/aws/pipeline-definition.schema.json"
)
needs_schema = pytest.mark.skipif(
    not SCHEMA.is_file(),
    reason="not held against AWS's JSON schema of pipeline definitions: the file is not here; "
    "set BASKETWISE_PIPELINE_SCHEMA to where it lies",
)


def steps(document: Document) -> dict[str, Document]:
    """Return all steps by name, those of the condition's branches too."""
    *plain, decide = document["Steps"]
    branches = decide["Arguments"]["IfSteps"] + decide["Arguments"]["ElseSteps"]
    return {step["Name"]: step for step in (*plain, decide, *branches)}


def _one_exception(document: Document) -> None:
    for step in steps(document).values():
        for policy in step.get("RetryPolicies", ()):
            (policy["ExceptionType"],) = policy["ExceptionType"]


def _no_entry_point(document: Document) -> None:
    specification = steps(document)["Train"]["Arguments"]["AlgorithmSpecification"]
    del specification["ContainerEntrypoint"], specification["ContainerArguments"]


def _no_environment(document: Document) -> None:
    steps(document)["Train"]["Arguments"].pop("Environment", None)


def _no_state(document: Document) -> None:
    del steps(document)["Register"]["Arguments"]["ModelApprovalStatus"]


def _no_metadata(document: Document) -> None:
    arguments = steps(document)["Register"]["Arguments"]
    del arguments["CustomerMetadataProperties"], arguments["MetadataProperties"]


def _no_environment_of_the_endpoint(document: Document) -> None:
    arguments = steps(document)["Register"]["Arguments"]
    (container,) = arguments["InferenceSpecification"]["Containers"]
    container.pop("Environment", None)


DEPARTURES: dict[str, Callable[[Document], None]] = {
    "exceptions to retry on are a list": _one_exception,
    "a training has an entry point and arguments": _no_entry_point,
    "a training has an environment": _no_environment,
    "a version has a state": _no_state,
    "a version has metadata": _no_metadata,
    "the container of a version has an environment": _no_environment_of_the_endpoint,
}
"""Each with what takes it back."""


def without(document: Document, departures: Iterable[str]) -> Document:
    """Return a definition without some of its departures."""
    changed = deepcopy(document)
    for name in departures:
        DEPARTURES[name](changed)
    return changed


@cache
def _schema() -> Any:
    import jsonschema

    return jsonschema.Draft7Validator(json.loads(SCHEMA.read_bytes()))


def allowed(document: Document) -> bool:
    """Whether AWS's schema allows a definition."""
    return bool(_schema().is_valid(document))
