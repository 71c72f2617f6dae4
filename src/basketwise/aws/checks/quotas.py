"""How many machines an account may use at once: none at all in many a new account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from basketwise.aws import clients
from basketwise.aws.checks.account import unknown
from basketwise.aws.errors import translated
from basketwise.config import AwsConfig, Config
from basketwise.doctor.check import Check
from basketwise.errors import BasketwiseError

PAGE = 100


@dataclass(frozen=True)
class Quota:
    """One of a service's quotas.

    Attributes
    ----------
    code
        What AWS calls it in requests, ``L-…``; another one for each instance type and use.
    value
        Instances that may run at once.
    """

    code: str
    value: float


@dataclass(frozen=True)
class Use:
    """What an instance is used for.

    Attributes
    ----------
    name
        Of the check.
    needed
        Whether the next run cannot do without.
    otherwise
        What to do instead of asking for more.
    """

    name: str
    instance: str
    kind: str
    needed: bool
    otherwise: str

    @property
    def quota(self) -> str:
        """The name that the quota has in the list."""
        return f"{self.instance} for {self.kind} usage"


def quotas(config: Config, region: str) -> Iterator[Check]:
    """Look at the quotas of the instance types that jobs use; they are of one region."""
    wanted = uses(config.aws)
    try:
        client = clients.client("service-quotas", config.aws)
        found = listed(client, {use.quota for use in wanted})
    except BasketwiseError as error:
        yield unknown("quotas", error)
        return
    yield from (judged(use, found, region) for use in wanted)


def uses(aws: AwsConfig) -> list[Use]:
    """Return what the jobs use instances for."""
    other = "choose another aws.training_instance"
    return [
        Use(
            "processing",
            aws.processing_instance,
            "processing job",
            needed=True,
            otherwise="choose another aws.processing_instance",
        ),
        Use(
            "training",
            aws.training_instance,
            "training job",
            needed=not aws.spot,
            otherwise=f"{other}, or set aws.spot to true",
        ),
        Use(
            "spot",
            aws.training_instance,
            "spot training job",
            needed=aws.spot,
            otherwise=f"{other}, or set aws.spot to false",
        ),
    ]


def listed(client: Any, names: Iterable[str]) -> dict[str, Quota]:
    """Find quotas by name; those that AWS does not list are not in the result.

    Raises
    ------
    DependencyError
        If AWS refuses.
    """
    missing, found = set(names), {}
    with translated("list the quotas of SageMaker"):
        pages = client.get_paginator("list_service_quotas").paginate(
            ServiceCode="sagemaker", PaginationConfig={"PageSize": PAGE}
        )
        for page in pages:
            for one in page["Quotas"]:
                if one.get("QuotaName") in missing:
                    missing.remove(one["QuotaName"])
                    found[one["QuotaName"]] = Quota(one["QuotaCode"], one["Value"])
            if not missing:
                # There are thousands; the rest is of no interest.
                break
    return found


def judged(use: Use, found: Mapping[str, Quota], region: str) -> Check:
    """Say whether there is room for one job at least."""
    quota = found.get(use.quota)
    if quota is None:
        return Check(
            use.name,
            "warning",
            f"AWS lists no quota '{use.quota}' in {region}.",
            f"Check the name of the instance; or {use.otherwise}.",
        )
    text = f"{use.quota}: {quota.value:g} at once"
    if quota.value >= 1:
        return Check(use.name, "ok", text)
    fix = (
        f"Ask for an increase to 1: aws service-quotas request-service-quota-increase "
        f"--service-code sagemaker --quota-code {quota.code} --desired-value 1 --region {region}"
    )
    if use.needed:
        return Check(use.name, "failed", text, f"{fix}\nOr {use.otherwise}.", exit_code=3)
    return Check(use.name, "warning", f"{text}; not needed with aws.spot as it is", fix)
