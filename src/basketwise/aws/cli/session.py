"""Settings and account of the commands on AWS."""

from __future__ import annotations

from basketwise.aws import clients
from basketwise.aws.address import is_address, workspace_address
from basketwise.aws.errors import translated
from basketwise.aws.names import AwsNames, names_of
from basketwise.cli.options import Common
from basketwise.config import Config
from basketwise.errors import ConfigError
from basketwise.files import DEFAULT_WORKSPACE


def settings(common: Common, *flags: str, account: str = "") -> tuple[Config, AwsNames]:
    """Load the configuration; return it with the names in the credentials' or a given account."""
    config, workspace = common.config(*flags), common.workspace
    if is_address(workspace):
        workspace_address(workspace)
    elif workspace != DEFAULT_WORKSPACE:
        raise ConfigError(
            f"The workspace {workspace!r} is not in a bucket.",
            "Omit --workspace to use the project's bucket, or give s3://bucket/prefix.",
        )
    if account and not (account.isdigit() and len(account) == 12):
        raise ConfigError(f"{account!r} is not an account id.", "An account id has twelve digits.")
    sts = clients.client("sts", config.aws)
    if not account:
        with translated("identify the account"):
            account = sts.get_caller_identity()["Account"]
    region = sts.meta.region_name
    return config, names_of(config, account_id=account, region=region, workspace=workspace)
