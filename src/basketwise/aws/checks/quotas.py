"""Quotas of instances: many new accounts may use none at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from basketwise.aws import clients
from basketwise.aws.checks.account import unknown
from basketwise.aws.errors import translated
from basketwise.config import AwsConfig, Config
from basketwise.doctor.check import Check
from basketwise.errors import BasketwiseError


class Use(NamedTuple):
    """A use of instances: its check, and the name of its quota in AWS's list.

    ``needed`` says whether the next run needs it, ``alternative`` what to do instead of requesting
    an increase.
    """

    check: str
    quota: str
    needed: bool
    alternative: str


def quotas(config: Config, region: str) -> Iterator[Check]:
    """Check the quotas of the instance types that jobs use, which are those of one region."""
    uses = _uses(config.aws)
    try:
        listed = _listed(clients.client("service-quotas", config.aws), {use.quota for use in uses})
    except BasketwiseError as error:
        yield unknown("quotas", error)
        return
    yield from (_quota_check(use, listed.get(use.quota), region) for use in uses)


def _uses(aws: AwsConfig) -> list[Use]:
    other = "choose another aws.training_instance, or set aws.spot to"
    processing = f"{aws.processing_instance} for processing job usage"
    training = f"{aws.training_instance} for training job usage"
    spot = f"{aws.training_instance} for spot training job usage"
    return [
        Use("processing", processing, True, "choose another aws.processing_instance"),
        Use("training", training, not aws.spot, f"{other} true"),
        Use("spot", spot, aws.spot, f"{other} false"),
    ]


def _listed(client: Any, names: set[str]) -> dict[str, Mapping[str, Any]]:
    """Return quotas by name as AWS describes them, without those that it does not list."""
    quotas: dict[str, Mapping[str, Any]] = {}
    with translated("list the quotas of SageMaker"):
        pages = client.get_paginator("list_service_quotas").paginate(
            ServiceCode="sagemaker", PaginationConfig={"PageSize": 100}
        )
        for page in pages:
            quotas |= {q["QuotaName"]: q for q in page["Quotas"] if q.get("QuotaName") in names}
            if len(quotas) == len(names):
                # There are thousands of others.
                break
    return quotas


def _quota_check(use: Use, quota: Mapping[str, Any] | None, region: str) -> Check:
    """Check that a quota allows at least one job."""
    if quota is None:
        text = f"AWS lists no quota '{use.quota}' in {region}."
        fix = f"Check the name of the instance type; or {use.alternative}."
        return Check(use.check, "warning", text, fix)
    text = f"{use.quota}: {quota['Value']:g} at once"
    if quota["Value"] >= 1:
        return Check(use.check, "ok", text)
    fix = (
        "Request an increase to 1: aws service-quotas request-service-quota-increase --service-code"
        f" sagemaker --quota-code {quota['QuotaCode']} --desired-value 1 --region {region}"
    )
    if use.needed:
        return Check(use.check, "failed", text, f"{fix}\nOr {use.alternative}.", exit_code=3)
    return Check(use.check, "warning", f"{text}; not needed with aws.spot as it is", fix)
