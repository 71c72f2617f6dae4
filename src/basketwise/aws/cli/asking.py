"""Whose account it is, and who is asked: what the commands on AWS share."""

from __future__ import annotations

import sys
from functools import partial

import click

from basketwise.aws import clients
from basketwise.aws.address import is_address, workspace_address
from basketwise.aws.errors import translated
from basketwise.aws.names import AwsNames, names_of
from basketwise.cli.options import Common
from basketwise.config import Config
from basketwise.errors import ConfigError, InputError
from basketwise.files import DEFAULT_WORKSPACE

YES = click.option("--yes", is_flag=True, help="Do it without asking.")


tell = partial(click.echo, err=True)
"""Says what is going on, on stderr."""

asked = partial(click.confirm, err=True)
"""Asks whoever sits at the terminal."""


def settings(common: Common, *flags: str, account: str = "") -> tuple[Config, AwsNames]:
    """Load the configuration and name everything in the credentials' account, or the given one."""
    config, workspace = common.config(*flags), common.workspace
    if is_address(workspace):
        workspace_address(workspace)
    elif workspace != DEFAULT_WORKSPACE:
        raise ConfigError(
            f"The workspace {workspace!r} is not in a bucket.",
            "Omit --workspace to use the project's bucket, or give s3://bucket/prefix.",
        )
    if account and not (account.isdigit() and len(account) == 12):
        raise ConfigError(f"{account!r} is not an account id.", "It has twelve digits.")
    sts = clients.client("sts", config.aws)
    if not account:
        with translated("identify the account"):
            account = sts.get_caller_identity()["Account"]
    region = sts.meta.region_name
    return config, names_of(config, account_id=account, region=region, workspace=workspace)


def require_terminal(instead: str) -> None:
    """Refuse to ask where nobody sits; says what to give instead."""
    if not sys.stdin.isatty():
        raise InputError("Nobody can be asked: this is not a terminal.", f"Give {instead}.")
