"""Whose account it is, and who is asked: what the commands on AWS share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from basketwise.cli.options import DEFAULT_WORKSPACE
from basketwise.errors import ConfigError, InputError

if TYPE_CHECKING:
    from basketwise.aws.names import AwsNames
    from basketwise.config import Config

YES = click.option("--yes", is_flag=True, help="Do it without asking.")


def names(config: Config, workspace: str, account: str = "") -> AwsNames:
    """Name everything in the account of the credentials, or in the one given.

    Raises
    ------
    ConfigError
        If the workspace is a folder or not a valid address, or the account id is invalid.
    DependencyError
        If AWS refuses.
    """
    from basketwise.aws.address import is_address, workspace_address
    from basketwise.aws.clients import client
    from basketwise.aws.errors import translated
    from basketwise.aws.names import names_of

    if is_address(workspace):
        workspace_address(workspace)
    elif workspace != DEFAULT_WORKSPACE:
        raise ConfigError(
            f"The workspace {workspace!r} is not in a bucket.",
            "Omit --workspace to use the project's bucket, or give s3://bucket/prefix.",
        )
    if account and not (account.isdigit() and len(account) == 12):
        raise ConfigError(f"{account!r} is not an account id.", "It has twelve digits.")
    sts: Any = client("sts", config.aws)
    if not account:
        with translated("find out whose credentials these are"):
            account = sts.get_caller_identity()["Account"]
    return names_of(
        config,
        account_id=account,
        region=sts.meta.region_name,
        workspace=workspace,
    )


def project_workspace(called: AwsNames) -> str:
    """Return the workspace of the commands on AWS: what was given, else the project's bucket."""
    return called.uri().rstrip("/")


def require_terminal(instead: str) -> None:
    """Refuse to ask where nobody sits; says what to give instead."""
    if not sys.stdin.isatty():
        raise InputError("Nobody can be asked: this is no terminal.", f"Give {instead}.")


def asked(question: str) -> bool:
    """Ask whoever sits there."""
    return click.confirm(question, err=True)


def tell(line: str) -> None:
    """Say what is going on, on stderr."""
    click.echo(line, err=True)
