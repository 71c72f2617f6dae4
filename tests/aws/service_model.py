"""Checks requests as strictly as AWS does, by the service model that botocore carries.

botocore itself enforces types, required members and a few minima; patterns, enums, maxima and
what several members must agree on are found out by the service, after a job was asked for.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import botocore.session

SCALARS: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (datetime, int, float, str),
    "string": (str,),
    "character": (str,),
    "blob": (bytes, bytearray, str),
}
NUMBERS = ("integer", "long", "float", "double")
JAVA_CLASSES = {"Alnum": "a-zA-Z0-9", "Alpha": "a-zA-Z", "Digit": "0-9", "Print": " -~"}


def check(service: str, operation: str, params: Mapping[str, Any], *, bucket: str = "") -> None:
    """Hold a request against the service's model.

    Parameters
    ----------
    service, operation
        As botocore names them: ``sagemaker``, ``CreateTrainingJob``.
    params
        What is handed to the boto3 client.
    bucket
        The only bucket that S3 URIs may name; empty: any. It is in the region of the jobs.

    Raises
    ------
    AssertionError
        Names the path of the first mistake and the constraint it breaks.
    """
    for mistake in mistakes(service, operation, params, bucket=bucket):
        raise AssertionError(f"{operation}.{mistake}")


def mistakes(
    service: str, operation: str, params: Mapping[str, Any], *, bucket: str = ""
) -> Iterator[str]:
    """Name every mistake of a request."""
    shape = _model(service).operation_model(operation).input_shape
    if shape is None:
        yield from (f"{key}: unknown" for key in params)
        return
    yield from _value(shape, params, "")
    if bucket:
        yield from _buckets(params, bucket, "")
    yield from RULES.get((service, operation), _no_rules)(params)


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _value(shape: Any, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if kind in ("structure", "list", "map"):
        wanted: tuple[type, ...] = (list, tuple) if kind == "list" else (Mapping,)
        if not isinstance(value, wanted):
            yield f"{path or 'request'}: {type(value).__name__}, must be a {kind}"
            return
        yield from CONTAINERS[kind](shape, value, path)
    else:
        yield from _scalar(shape, value, path)


def _structure(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    dot = f"{path}." if path else ""
    # botocore fills these in itself.
    own = {
        name for name, member in shape.members.items() if member.metadata.get("idempotencyToken")
    }
    for name in shape.required_members:
        if name not in value and name not in own:
            yield f"{dot}{name}: required"
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        yield f"{path}: exactly one of {', '.join(shape.members)}"
    for name, item in value.items():
        if name in shape.members:
            yield from _value(shape.members[name], item, f"{dot}{name}")
        else:
            yield f"{dot}{name}: unknown"


def _list(shape: Any, value: list[Any], path: str) -> Iterator[str]:
    yield from _range(shape, len(value), path, "length ")
    for index, item in enumerate(value):
        yield from _value(shape.member, item, f"{path}[{index}]")


def _map(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from _range(shape, len(value), path, "length ")
    for key, item in value.items():
        yield from _value(shape.key, key, f"{path} key {key!r}")
        yield from _value(shape.value, item, f"{path}[{key!r}]")


CONTAINERS: dict[str, Callable[[Any, Any, str], Iterator[str]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
}


def _scalar(shape: Any, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    # bool is an int in Python, not in JSON.
    if not isinstance(value, SCALARS[kind]) or (kind in NUMBERS and isinstance(value, bool)):
        yield f"{path}: {type(value).__name__} {value!r}, must be a {kind}"
        return
    if kind in NUMBERS:
        yield from _range(shape, value, path, "")
    elif hasattr(value, "__len__"):
        yield from _range(shape, len(value), path, "length ")
    if isinstance(value, str):
        allowed = shape.metadata.get("enum")
        if allowed and value not in allowed:
            yield f"{path}: {value!r} is not in the enum"
        pattern = shape.metadata.get("pattern")
        if pattern and not _compiled(pattern).fullmatch(value):
            yield f"{path}: {value!r} does not match the pattern {pattern}"


def _range(shape: Any, number: Any, path: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < least:
        yield f"{path}: {what}{number} is below the minimum {least}"
    if most is not None and number > most:
        yield f"{path}: {what}{number} is above the maximum {most}"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a Java pattern: ``\\p{L}``, and a quantified ``$``, are strange to Python."""
    pattern = re.sub(r"\$\{\d+,\d+\}", "", pattern)
    # Surrogate halves, which no Python text of ours holds.
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", "")
    # Elsewhere it is within brackets already.
    pattern = re.sub(r"^(\\p\{\w+\})(?=[+*]$)", r"[\1]", pattern)
    return re.compile(re.sub(r"\\p\{(\w+)\}", lambda match: _members(match[1]), pattern))


@cache
def _members(name: str) -> str:
    """Spell a Unicode category out as the inside of a character class."""
    if name in JAVA_CLASSES:
        return JAVA_CLASSES[name]
    codes = [c for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c))[0] == name]
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def _buckets(value: Any, bucket: str, path: str) -> Iterator[str]:
    """Name each S3 URI of another bucket; each that is not quite one."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _buckets(item, bucket, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _buckets(item, bucket, f"{path}[{index}]")
    elif isinstance(value, str) and value.startswith("s3:"):
        if not f"{value}/".startswith(f"s3://{bucket}/"):
            yield f"{path}: {value!r} is not in the bucket {bucket}"
        elif "//" in value.removeprefix("s3://"):
            yield f"{path}: {value!r} has an empty folder"


def _no_rules(params: Mapping[str, Any]) -> Iterator[str]:
    yield from ()


def _training(params: Mapping[str, Any]) -> Iterator[str]:
    stopping = params.get("StoppingCondition") or {}
    run, wait = stopping.get("MaxRuntimeInSeconds"), stopping.get("MaxWaitTimeInSeconds")
    if params.get("EnableManagedSpotTraining"):
        if wait is None:
            yield "StoppingCondition.MaxWaitTimeInSeconds: required for spot training"
        elif run is not None and wait < run:
            yield "StoppingCondition.MaxWaitTimeInSeconds: below MaxRuntimeInSeconds"
    elif wait is not None:
        yield "StoppingCondition.MaxWaitTimeInSeconds: for spot training only"
    algorithm = params.get("AlgorithmSpecification") or {}
    if ("TrainingImage" in algorithm) == ("AlgorithmName" in algorithm):
        yield "AlgorithmSpecification: exactly one of TrainingImage and AlgorithmName"
    yield from _unique(algorithm.get("MetricDefinitions"), "Name", "MetricDefinitions")
    for metric in algorithm.get("MetricDefinitions") or ():
        if re.compile(metric.get("Regex", "")).groups != 1:
            yield f"MetricDefinitions: {metric.get('Name')!r} needs exactly one group"
    yield from _unique(params.get("InputDataConfig"), "ChannelName", "InputDataConfig")
    local = (params.get("CheckpointConfig") or {}).get("LocalPath", "/opt/ml/checkpoints")
    if re.match(r"/opt/ml/(input|model|output|code)\b", local):
        yield f"CheckpointConfig.LocalPath: {local!r} is a folder of SageMaker's own"
    yield from _unique(params.get("Tags"), "Key", "Tags")


def _processing(params: Mapping[str, Any]) -> Iterator[str]:
    inputs = list(params.get("ProcessingInputs") or ())
    outputs = list((params.get("ProcessingOutputConfig") or {}).get("Outputs") or ())
    yield from _unique(inputs, "InputName", "ProcessingInputs")
    yield from _unique(outputs, "OutputName", "Outputs")
    mounts = [item.get("S3Input") or {} for item in inputs]
    mounts += [item.get("S3Output") or {} for item in outputs]
    paths = [str(mount.get("LocalPath", "")) for mount in mounts]
    for path in paths:
        if not path.startswith("/opt/ml/processing/"):
            yield f"LocalPath: {path!r} is not below /opt/ml/processing/"
        if any(path != other and other.startswith(f"{path.rstrip('/')}/") for other in paths):
            yield f"LocalPath: {path!r} holds another one"
    if len(set(paths)) < len(paths):
        yield "LocalPath: one is used twice"
    yield from _unique(params.get("Tags"), "Key", "Tags")


def _model_package(params: Mapping[str, Any]) -> Iterator[str]:
    if ("ModelPackageGroupName" in params) == ("ModelPackageName" in params):
        yield "ModelPackageGroupName: exactly one of it and ModelPackageName"
    if "ModelPackageGroupName" in params and "Tags" in params:
        yield "Tags: a version has none, its group has"
    specification = params.get("InferenceSpecification") or {}
    for container in specification.get("Containers") or ():
        if "Image" not in container:
            yield "InferenceSpecification.Containers: Image is required"


def _pipeline(params: Mapping[str, Any]) -> Iterator[str]:
    if ("PipelineDefinition" in params) == ("PipelineDefinitionS3Location" in params):
        yield "PipelineDefinition: exactly one of it and PipelineDefinitionS3Location"


def _unique(items: Any, key: str, where: str) -> Iterator[str]:
    names = [item.get(key) for item in items or ()]
    yield from (f"{where}: {name!r} twice" for name in {n for n in names if names.count(n) > 1})


RULES: dict[tuple[str, str], Callable[[Mapping[str, Any]], Iterator[str]]] = {
    ("sagemaker", "CreateTrainingJob"): _training,
    ("sagemaker", "CreateProcessingJob"): _processing,
    ("sagemaker", "CreateModelPackage"): _model_package,
    ("sagemaker", "CreatePipeline"): _pipeline,
}
