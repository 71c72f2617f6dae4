"""``deploy render --to sagemaker``: requests as files, and a script that sends them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from basketwise.aws.names import as_tags
from basketwise.aws.requests.approval_rule import approval_rule
from basketwise.aws.requests.endpoint import Request, endpoint_requests
from basketwise.aws.self_contained import is_self_contained
from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.options import MODEL_URL, Options, required
from basketwise.deploy.rendering import render
from basketwise.deploy.writing import Files
from basketwise.errors import ConfigError

SCRIPT = "deploy.sh"


def endpoint_files(model: ApprovedModel, options: Options, folder: Path) -> Files:
    """Return the requests, as ``aws … --cli-input-json`` takes them, and the script.

    Nothing is written into ``folder``.

    Raises
    ------
    ConfigError
        If the role is missing, or the registry knows of no image or of no archive in a bucket, and
        none is given.
    """
    requests = requests_for(model, options, as_tags(model.aws.tags))
    texts = {
        f"{name}.json": json.dumps(request.parameters, indent=2) + "\n"
        for name, request in requests.items()
    }
    model_request = requests["create-model"].parameters
    config = requests["create-endpoint-config"].parameters
    script = render(
        f"sagemaker/{SCRIPT}",
        version=model.version,
        group=model.group,
        sha256=model.sha256,
        endpoint=options.name,
        model=model_request["ModelName"],
        config=config["EndpointConfigName"],
        scales="put-scaling-policy" in requests,
    )
    rule = approval_rule(model.uri, options.name)
    if rule:
        texts["put-rule.json"] = json.dumps(rule, indent=2) + "\n"
    return texts | {SCRIPT: script}


def requests_for(
    model: ApprovedModel, options: Options, tags: Sequence[dict[str, str]] = ()
) -> dict[str, Request]:
    """Return the requests, with ``tags`` beside those that name the version.

    Raises
    ------
    ConfigError
        As :func:`endpoint_files`; and as
        :func:`basketwise.aws.requests.endpoint.endpoint_requests`.
    """
    required(options, "role_arn", "SageMaker fetches model and image under it.")
    image = options.image or model.image_uri or ""
    if not image:
        required(
            options, "image", f"the registry knows of none that serves version {model.version}."
        )
    url = options.model_url or stored_at(model)
    return endpoint_requests(
        model,
        options,
        image=image,
        model_url=url,
        self_contained=is_self_contained(model.archive),
        tags=tags,
    )


def stored_at(model: ApprovedModel) -> str:
    """Return the S3 URI of a version's archive; a ConfigError if it is not in a bucket."""
    if not model.model_data_url or not re.fullmatch(MODEL_URL, model.model_data_url):
        raise ConfigError(
            f"--model-url is missing: the archive of version {model.version} is at "
            f"{model.model_data_url!r}, which SageMaker cannot fetch.",
            "Copy it to a bucket, and give its address: s3://bucket/prefix/model.tar.gz.",
        )
    return model.model_data_url
