"""``basketwise aws …``: runs on Amazon SageMaker."""

from __future__ import annotations

import click

from basketwise.aws.cli.clean import clean
from basketwise.aws.cli.deploy import deploy
from basketwise.aws.cli.emr import emr
from basketwise.aws.cli.pipeline import pipeline
from basketwise.aws.cli.provision import destroy, policy, provision
from basketwise.aws.cli.run import run


@click.group()
def aws() -> None:
    """Provision, run and clean up on Amazon SageMaker."""


for command in (provision, destroy, policy, run, emr, deploy, pipeline, clean):
    aws.add_command(command)
