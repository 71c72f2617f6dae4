"""``basketwise deploy …``: from the approved version to files that serve it."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from basketwise.cli.options import Common, common
from basketwise.cli.output import emit, shown
from basketwise.plugins import TARGETS


@click.group()
def deploy() -> None:
    """Render files that put the approved version into production."""


@deploy.command()
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Choice(list(TARGETS)),
    help="Where the model is served.",
)
@click.option("--out", metavar="DIR", help="Folder to write. Default: deploy/<target>.")
@click.option("--overwrite", is_flag=True, help="Replace rendered files that were changed.")
@click.option("--image", metavar="IMAGE@sha256:…", help="The built image, by its digest.")
@click.option("--base", metavar="IMAGE@sha256:…", help="The image to build on, by its digest.")
@click.option("--name", metavar="NAME", help="Of the service. Default: retail-api.")
@click.option("--namespace", metavar="NAME", help="Of Kubernetes. Default: mlops.")
@click.option("--host", metavar="NAME", help="Publish the service under this host name.")
@click.option("--role-arn", metavar="ARN", help="The IAM role that the service runs under.")
@click.option("--region", metavar="REGION", help="Of AWS. Default: aws.region, or the image's.")
@click.option("--model-url", metavar="s3://…", help="Where the archive is, if not in a bucket.")
@common
def render(
    target: str,
    out: str | None,
    overwrite: bool,
    common: Common,
    **given: str | None,
) -> None:
    """Write what deploys the champion, pinned by version and digest.

    Refused is a version that is not approved in the registry now, and an archive that is not the
    one that was exported.
    """
    from basketwise.deploy.options import options_of
    from basketwise.deploy.targets import render_target
    from basketwise.run.workspace import open_workspace

    config = common.config()
    options = options_of(given | {"region": given["region"] or config.aws.region or None})
    storage = open_workspace(common.workspace, config.aws).storage
    folder = Path(out or f"deploy/{target}").absolute()
    rendered = render_target(config, storage, target, options, folder, overwrite=overwrite)
    model = rendered.model
    command = TARGETS[target][1].format(
        name=options.name, tag=model.tag, out=shlex.quote(shown(folder))
    )
    lines = [
        f"version {model.version} of {model.group}, sha256 {model.sha256}",
        *(f"  {shown(folder / file)}" for file in rendered.files),
        f"Next: {command}",
    ]
    if model.needs_history:
        lines.insert(1, "warning   it will know no customers: their history is in no archive")
    document = {
        "target": target,
        "out": str(folder),
        "group": model.group,
        "version": model.version,
        "sha256": model.sha256,
        "tag": model.tag,
        "library": str(model.library),
        "files": list(rendered.files),
    }
    emit(common, document, *lines)
