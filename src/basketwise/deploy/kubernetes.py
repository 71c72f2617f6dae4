"""Plain manifests for Kubernetes, with a kustomization: pods that hold the model and ask nobody."""

from __future__ import annotations

import re
from pathlib import Path

from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.options import Options, required
from basketwise.deploy.rendering import render
from basketwise.deploy.smoke_test import smoke_test
from basketwise.deploy.writing import Files

REPLICAS = 2
"""To begin with: one may go while the other answers."""

RESOURCES = (
    "namespace.yaml",
    "serviceaccount.yaml",
    "deployment.yaml",
    "service.yaml",
    "hpa.yaml",
    "pdb.yaml",
    "networkpolicy.yaml",
    "servicemonitor.yaml",
)
INGRESS = "ingress.yaml"
"""With a host name only."""

NO_IMAGE = "pods pull an image that was built and pushed before."


def manifests(model: ApprovedModel, options: Options, folder: Path) -> Files:
    """Return the manifests, and what tries them; nothing is written into ``folder``.

    Raises
    ------
    ConfigError
        If no image is given.
    """
    image = required(options, "image", NO_IMAGE)
    scaling = model.deployment.auto_scaling
    resources = (*RESOURCES, INGRESS) if options.host else RESOURCES
    values = {
        "name": options.name,
        "namespace": options.namespace,
        "host": options.host,
        "role_arn": options.role_arn,
        "image": image,
        "group": model.group,
        "version": model.version,
        "sha256": model.sha256,
        "tag": model.tag,
        "scaling": scaling,
        "replicas": min(max(REPLICAS, scaling.min_capacity), scaling.max_capacity),
        "environment": environment(model, options),
        "token_secret": f"{options.name}-token",
        "resources": resources,
    }
    names = (*resources, "kustomization.yaml")
    return {name: render(f"kubernetes/{name}", **values) for name in names} | smoke_test(model)


def environment(model: ApprovedModel, options: Options) -> dict[str, str]:
    """Return variables that say which model it is, where that is known."""
    location = re.fullmatch(r"s3://([^/]+)/(.+)", options.model_url or model.model_data_url)
    bucket, key = location.groups() if location else ("", "")
    variables = {
        "LOG_LEVEL": "info",
        "MODEL_PACKAGE_GROUP": model.group,
        "MODEL_BUCKET": bucket,
        "MODEL_KEY": key,
        "AWS_DEFAULT_REGION": options.region or region_of(options.image),
    }
    return {name: value for name, value in variables.items() if value}


def region_of(image: str) -> str:
    """Return the region of an image in Amazon ECR; empty for any other.

    Examples
    --------
    >>> region_of("123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlops/retail-api@sha256:0")
    'eu-west-1'
    """
    match = re.match(r"[0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com", image)
    return match[1] if match else ""
