"""Models, endpoint configurations and endpoints in SageMaker, and which of them use which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from basketwise.aws.cleaning.findings import ANY, Resource, Serving
from basketwise.aws.errors import ask, missing, translated
from basketwise.aws.names import AwsNames, tags

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

MADE = "retail-"
"""What models and configurations of Basketwise begin with."""

PAGE = 100
AT_ONCE = 8
"""Resources that are looked at side by side; SageMaker throttles whoever asks for much more."""


def look_at_serving(sagemaker: SageMakerClient, names: AwsNames) -> Serving:
    """Look at our models and configurations, and at whatever may use them.

    Parameters
    ----------
    sagemaker : boto3 client
        Of SageMaker.
    names : AwsNames
        Whose tags are looked for.

    Returns
    -------
    Serving
        All models of our name and those that endpoints serve; all configurations, as long as we
        have a model that one may use.

    Raises
    ------
    DependencyError
        If AWS refuses.
    """
    in_use = frozenset(_configs_in_use(sagemaker))
    listed = [
        one["EndpointConfigName"]
        for one in _listed(sagemaker, "list_endpoint_configs", "EndpointConfigs")
    ]
    ours = [
        one["ModelName"]
        for one in _listed(sagemaker, "list_models", "Models", NameContains=MADE)
        if one["ModelName"].startswith(MADE)
    ]
    # Only a model of ours makes other people's configurations our business.
    asked = {*in_use, *(name for name in listed if ours or name.startswith(MADE))}
    configs = [
        Resource(
            name=found["EndpointConfigName"],
            created=found["CreationTime"],
            ours=_is_ours(sagemaker, names, found, "EndpointConfig"),
            uses=_models_of(found),
        )
        for found in _described(
            asked, lambda name: sagemaker.describe_endpoint_config(EndpointConfigName=name)
        )
    ]
    served = {model for one in configs if one.name in in_use for model in one.uses} - {ANY}
    models = [
        Resource(
            name=found["ModelName"],
            created=found["CreationTime"],
            ours=_is_ours(sagemaker, names, found, "Model"),
            uses=_sources_of(found),
        )
        for found in _described(
            {*ours, *served}, lambda name: sagemaker.describe_model(ModelName=name)
        )
    ]
    return Serving(tuple(configs), tuple(models), in_use)


def remove_config(sagemaker: SageMakerClient, name: str) -> None:
    """Remove an endpoint configuration; one that is gone is no error."""
    ask(
        f"remove the endpoint configuration {name}",
        lambda: sagemaker.delete_endpoint_config(EndpointConfigName=name),
        missing,
    )


def remove_model(sagemaker: SageMakerClient, name: str) -> None:
    """Remove a model from SageMaker, not its archive; one that is gone is no error."""
    ask(f"remove the model {name}", lambda: sagemaker.delete_model(ModelName=name), missing)


def _configs_in_use(sagemaker: SageMakerClient) -> Iterator[str]:
    endpoints = [one["EndpointName"] for one in _listed(sagemaker, "list_endpoints", "Endpoints")]
    for found in _described(endpoints, lambda name: sagemaker.describe_endpoint(EndpointName=name)):
        # While an endpoint is made or changed it has the new one only there.
        for said in (found, found.get("PendingDeploymentSummary") or {}):
            if "EndpointConfigName" in said:
                yield said["EndpointConfigName"]


def _models_of(config: Mapping[str, Any]) -> frozenset[str]:
    variants = [
        *config.get("ProductionVariants", ()),
        *config.get("ShadowProductionVariants", ()),
    ]
    return frozenset(variant.get("ModelName", ANY) for variant in variants)


def _sources_of(model: Mapping[str, Any]) -> frozenset[str]:
    containers = [model.get("PrimaryContainer") or {}, *model.get("Containers", ())]
    found = set()
    for container in containers:
        sources = [
            container.get("ModelDataSource") or {},
            *container.get("AdditionalModelDataSources", ()),
        ]
        found |= {container.get("ModelDataUrl"), container.get("ModelPackageName")}
        found |= {(source.get("S3DataSource") or {}).get("S3Uri") for source in sources}
    return frozenset(one for one in found if one)


def _is_ours(
    sagemaker: SageMakerClient, names: AwsNames, found: Mapping[str, Any], kind: str
) -> bool:
    """Whether something has both our name and our tags; AWS is asked for the tags last."""
    name, arn = found[f"{kind}Name"], found[f"{kind}Arn"]
    if not name.startswith(MADE):
        return False
    had = ask(
        f"read the tags of {name}",
        lambda: [
            tag
            for page in sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
            for tag in page["Tags"]
        ],
        missing,
    )
    return all(tag in (had or ()) for tag in tags(names))


def _listed(
    sagemaker: SageMakerClient, operation: Any, key: str, **only: str
) -> Iterator[Mapping[str, Any]]:
    options = {"PaginationConfig": {"PageSize": PAGE}, **only}
    with translated(operation.replace("_", " ")):
        for page in sagemaker.get_paginator(operation).paginate(**options):
            yield from page[key]


def _described(
    names: Iterable[str], describe: Callable[[str], Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Describe several at a time; what is gone meanwhile is left out."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(
            lambda name: ask(f"look at {name}", lambda: describe(name), missing), sorted(names)
        )
        return [one for one in found if one is not None]
