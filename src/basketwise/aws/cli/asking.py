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
        If the workspace is a folder or no address of a bucket, or the account's id is none.
    DependencyError
        If AWS refuses.
    """
    from basketwise.aws.clients import client, translated
    from basketwise.aws.names import names_of

    if workspace != DEFAULT_WORKSPACE and not workspace.startswith("s3://"):
        raise ConfigError(
            f"The workspace {workspace!r} does not lie in a bucket.",
            "Leave --workspace away for the project's bucket, or give s3://bucket/prefix.",
        )
    if workspace.startswith("s3://"):
        _require_bucket(workspace)
    if account and not (account.isdigit() and len(account) == 12):
        raise ConfigError(f"{account!r} is no account id.", "It has twelve digits.")
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


def _require_bucket(workspace: str) -> None:
    """Refuse what no bucket can be called, as opening it would, but before AWS is asked."""
    from basketwise.storage.opening import NAME

    bucket, _, prefix = workspace.removeprefix("s3://").partition("/")
    parts = prefix.strip("/").split("/") if prefix.strip("/") else []
    if not NAME.fullmatch(bucket) or any(part in ("", ".", "..") for part in parts):
        raise ConfigError(
            f"The workspace {workspace!r} is no address of a bucket.",
            "Give s3://bucket or s3://bucket/prefix; names of buckets have 3 to 63 small letters, "
            "digits, dots and dashes.",
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
