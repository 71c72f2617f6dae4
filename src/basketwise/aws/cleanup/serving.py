"""Models, endpoint configurations and endpoints in SageMaker, and what uses what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from basketwise.aws.errors import Meaning, call, translated
from basketwise.aws.names import AwsNames, project_tags
from basketwise.aws.parallel import results_of

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

Describe = Callable[[str], Mapping[str, Any]]

NAME_PREFIX = "retail-"
"""Of the names of Basketwise's models and configurations."""

ANY = ""
"""Stands for the models that an endpoint serves without its configuration naming them."""


@dataclass(frozen=True)
class Resource:
    """A model or an endpoint configuration in SageMaker.

    ``owned``: it has Basketwise's name prefix and the project's tags. A configuration uses names
    of models, or ``ANY``; a model uses S3 URIs of archives and ARNs of versions.
    """

    name: str
    created: datetime
    owned: bool
    uses: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Serving:
    """What can be served; ``in_use`` are the configurations that endpoints have, or will have."""

    configs: tuple[Resource, ...] = ()
    models: tuple[Resource, ...] = ()
    in_use: frozenset[str] = frozenset()


def serving_of(sagemaker: SageMakerClient, names: AwsNames) -> Serving:
    """Return Basketwise's models and configurations, and everything that may use them.

    These are all models with its name prefix and those that endpoints serve, and all
    configurations, as long as a model may use them. Raises DependencyError if AWS refuses.
    """

    def resources(
        kind: str, listed: Iterable[str], describe: Describe, uses: Callable[[Any], set[str]]
    ) -> tuple[Resource, ...]:
        return tuple(
            Resource(
                name=item[f"{kind}Name"],
                created=item["CreationTime"],
                owned=_is_owned(sagemaker, names, item, kind),
                uses=frozenset(uses(item)),
            )
            for item in _described(listed, describe)
        )

    in_use = frozenset(_configs_in_use(sagemaker))
    listed = _listed(sagemaker, "list_endpoint_configs", "EndpointConfigs")
    owned = {
        item["ModelName"]
        for item in _listed(sagemaker, "list_models", "Models", NameContains=NAME_PREFIX)
        if item["ModelName"].startswith(NAME_PREFIX)
    }
    # Other configurations matter only if there is a model that they may use.
    relevant = {
        item["EndpointConfigName"]
        for item in listed
        if owned or item["EndpointConfigName"].startswith(NAME_PREFIX)
    }
    configs = resources(
        "EndpointConfig",
        in_use | relevant,
        lambda name: sagemaker.describe_endpoint_config(EndpointConfigName=name),
        _models_of,
    )
    served = {model for config in configs if config.name in in_use for model in config.uses}
    models = resources(
        "Model",
        (owned | served) - {ANY},
        lambda name: sagemaker.describe_model(ModelName=name),
        _sources_of,
    )
    return Serving(configs, models, in_use)


def remove(sagemaker: SageMakerClient, kind: str, name: str) -> None:
    """Remove a model, not its archive, or an endpoint config, if it still exists."""
    calls: Mapping[str, Callable[[], Any]] = {
        "endpoint config": lambda: sagemaker.delete_endpoint_config(EndpointConfigName=name),
        "model": lambda: sagemaker.delete_model(ModelName=name),
    }
    call(f"remove the {kind} {name}", calls[kind], Meaning.MISSING)


def _configs_in_use(sagemaker: SageMakerClient) -> Iterator[str]:
    names = [item["EndpointName"] for item in _listed(sagemaker, "list_endpoints", "Endpoints")]
    for endpoint in _described(names, lambda name: sagemaker.describe_endpoint(EndpointName=name)):
        # While an endpoint is created or updated, only this names its new configuration.
        pending = endpoint.get("PendingDeploymentSummary") or {}
        for described in (endpoint, pending):
            if "EndpointConfigName" in described:
                yield described["EndpointConfigName"]


def _models_of(config: Mapping[str, Any]) -> set[str]:
    return {
        variant.get("ModelName", ANY)
        for key in ("ProductionVariants", "ShadowProductionVariants")
        for variant in config.get(key, ())
    }


def _sources_of(model: Mapping[str, Any]) -> set[str]:
    uris = set()
    for container in (model.get("PrimaryContainer") or {}, *model.get("Containers", ())):
        uris |= {container.get("ModelDataUrl"), container.get("ModelPackageName")}
        sources = (
            container.get("ModelDataSource") or {},
            *container.get("AdditionalModelDataSources", ()),
        )
        uris |= {(source.get("S3DataSource") or {}).get("S3Uri") for source in sources}
    return {uri for uri in uris if uri}


def _is_owned(
    sagemaker: SageMakerClient, names: AwsNames, described: Mapping[str, Any], kind: str
) -> bool:
    """Whether a resource has Basketwise's name prefix and the project's tags."""
    name, arn = described[f"{kind}Name"], described[f"{kind}Arn"]
    if not name.startswith(NAME_PREFIX):
        return False
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)

    def read() -> list[Any]:
        return [tag for page in pages for tag in page["Tags"]]

    present = call(f"read the tags of {name}", read, Meaning.MISSING) or ()
    return all(tag in present for tag in project_tags(names))


def _listed(
    sagemaker: SageMakerClient, operation: Any, key: str, **only: str
) -> Iterator[Mapping[str, Any]]:
    options = {"PaginationConfig": {"PageSize": 100}, **only}
    with translated(operation.replace("_", " ")):
        for page in sagemaker.get_paginator(operation).paginate(**options):
            yield from page[key]


def _described(names: Iterable[str], describe: Describe) -> list[Mapping[str, Any]]:
    """Describe several at a time, without those that no longer exist."""
    answers = results_of(
        lambda name: call(f"describe {name}", lambda: describe(name), Meaning.MISSING),
        sorted(names),
    )
    return [answer for answer in answers if answer is not None]
