"""``basketwise aws deploy``: an endpoint that serves the champion."""

from __future__ import annotations

import click

from basketwise.aws.cli.session import settings
from basketwise.cli.options import Common, common, reporter
from basketwise.cli.output import emit


@click.command(short_help="Create or update an endpoint that serves the champion.")
@click.option(
    "--name",
    default="retail-api",
    show_default=True,
    metavar="NAME",
    help="The endpoint; begin it with retail-.",
)
@click.option(
    "--role-arn", metavar="ARN", help="The role it runs under. Default: that of the jobs."
)
@click.option("--image", metavar="IMAGE@sha256:…", help="Default: the registered image.")
@common
def deploy(name: str, role_arn: str | None, image: str | None, common: Common) -> None:
    """Create an endpoint that serves the champion, or update it blue/green; costs money.

    An alarm during an update sends SageMaker back to the version before. Repeat the command after
    'models rollback' to serve that version again.
    """
    from basketwise.aws import clients
    from basketwise.aws.names import tags
    from basketwise.aws.rendering import requests_for
    from basketwise.aws.running.endpoints import Services
    from basketwise.aws.running.endpoints import deploy as deploy_endpoint
    from basketwise.deploy.approved import approved_model
    from basketwise.deploy.options import options_of
    from basketwise.run.workspace import open_workspace
    from basketwise.scratch import scratch

    config, names = settings(common)
    options = options_of({"name": name, "role_arn": role_arn or names.role_arn, "image": image})
    storage = open_workspace(names.uri().rstrip("/"), config.aws).storage
    with scratch() as folder:
        model = approved_model(config, storage, folder)
        requests = requests_for(model, options, tags(names))
    services = Services(
        *(
            clients.client(service, config.aws)
            for service in ("sagemaker", "cloudwatch", "application-autoscaling")
        )
    )
    progress = reporter()
    done = deploy_endpoint(
        services,
        requests,
        lambda status: progress.say(f"endpoint {name}: {status}"),
        poll=config.aws.poll_seconds,
    )
    document = {
        "endpoint": name,
        "status": done,
        "version": model.version,
        "sha256": model.sha256,
        "config": requests["update-endpoint"].parameters["EndpointConfigName"],
    }
    emit(common, document, f"{name} serves version {model.version}, sha256 {model.sha256}")
