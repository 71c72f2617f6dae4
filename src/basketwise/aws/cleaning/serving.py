"""Models, endpoint configurations and endpoints in SageMaker, and which of them use which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from basketwise.aws.at_once import AT_ONCE
from basketwise.aws.errors import Meaning, call, translated
from basketwise.aws.names import AwsNames, tags

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

Describe = Callable[[str], Mapping[str, Any]]

MADE = "retail-"
"""What models and configurations of Basketwise begin with."""


ANY = ""
"""Stands for the models that an endpoint serves without its configuration naming them."""


@dataclass(frozen=True)
class Resource:
    """A model or an endpoint configuration in SageMaker.

    ``ours``: it has a name as Basketwise gives, and the project's tags. A configuration uses names
    of models, or ``ANY``; a model uses S3 URIs of archives and ARNs of versions.
    """

    name: str
    created: datetime
    ours: bool
    uses: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Serving:
    """What can be served; ``in_use`` are the configurations that endpoints have, or will have."""

    configs: tuple[Resource, ...] = ()
    models: tuple[Resource, ...] = ()
    in_use: frozenset[str] = frozenset()


def serving_of(sagemaker: SageMakerClient, names: AwsNames) -> Serving:
    """Return our models and configurations, and whatever may use them.

    These are all models of our name and those that endpoints serve; and all configurations, as
    long as we have a model that one may use.

    Raises
    ------
    DependencyError
        If AWS refuses.
    """

    def resources(
        kind: str, wanted: Iterable[str], describe: Describe, uses: Callable[[Any], set[str]]
    ) -> tuple[Resource, ...]:
        return tuple(
            Resource(
                name=item[f"{kind}Name"],
                created=item["CreationTime"],
                ours=_is_ours(sagemaker, names, item, kind),
                uses=frozenset(uses(item)),
            )
            for item in _described(wanted, describe)
        )

    in_use = frozenset(_configs_in_use(sagemaker))
    listed = _listed(sagemaker, "list_endpoint_configs", "EndpointConfigs")
    ours = {
        item["ModelName"]
        for item in _listed(sagemaker, "list_models", "Models", NameContains=MADE)
        if item["ModelName"].startswith(MADE)
    }
    # Only a model of ours makes other people's configurations our business.
    relevant = {
        item["EndpointConfigName"]
        for item in listed
        if ours or item["EndpointConfigName"].startswith(MADE)
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
        (ours | served) - {ANY},
        lambda name: sagemaker.describe_model(ModelName=name),
        _sources_of,
    )
    return Serving(configs, models, in_use)


def remove(sagemaker: SageMakerClient, kind: str, name: str) -> None:
    """Remove a model, not its archive, or an endpoint config; one that is gone is no error."""
    calls: Mapping[str, Callable[[], Any]] = {
        "endpoint config": lambda: sagemaker.delete_endpoint_config(EndpointConfigName=name),
        "model": lambda: sagemaker.delete_model(ModelName=name),
    }
    call(f"remove the {kind} {name}", calls[kind], Meaning.MISSING)


def _configs_in_use(sagemaker: SageMakerClient) -> Iterator[str]:
    names = [item["EndpointName"] for item in _listed(sagemaker, "list_endpoints", "Endpoints")]
    for endpoint in _described(names, lambda name: sagemaker.describe_endpoint(EndpointName=name)):
        # While an endpoint is made or changed, only this names its new configuration.
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


def _is_ours(
    sagemaker: SageMakerClient, names: AwsNames, described: Mapping[str, Any], kind: str
) -> bool:
    """Whether something has both our name and our tags; AWS is asked for the tags last."""
    name, arn = described[f"{kind}Name"], described[f"{kind}Arn"]
    if not name.startswith(MADE):
        return False
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    present = call(
        f"read the tags of {name}",
        lambda: [tag for page in pages for tag in page["Tags"]],
        Meaning.MISSING,
    )
    return all(tag in (present or ()) for tag in tags(names))


def _listed(
    sagemaker: SageMakerClient, operation: Any, key: str, **only: str
) -> Iterator[Mapping[str, Any]]:
    options = {"PaginationConfig": {"PageSize": 100}, **only}
    with translated(operation.replace("_", " ")):
        for page in sagemaker.get_paginator(operation).paginate(**options):
            yield from page[key]


def _described(names: Iterable[str], describe: Describe) -> list[Mapping[str, Any]]:
    """Describe several at a time; what is gone meanwhile is left out."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(
            lambda name: call(f"describe {name}", lambda: describe(name), Meaning.MISSING),
            sorted(names),
        )
        return [answer for answer in answers if answer is not None]
