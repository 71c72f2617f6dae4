"""``basketwise aws …``: the same job on Amazon SageMaker."""

from __future__ import annotations

import click

from basketwise.cli.aws.clean import clean
from basketwise.cli.aws.pipeline import pipeline
from basketwise.cli.aws.provision import destroy, policy, provision
from basketwise.cli.aws.run import run


@click.group()
def aws() -> None:
    """Provision, run and clean up on Amazon SageMaker."""


for command in (provision, destroy, policy, run, pipeline, clean):
    aws.add_command(command)
