"""Opening the registry on SageMaker."""

from __future__ import annotations

from basketwise.aws import clients
from basketwise.aws.errors import translated
from basketwise.aws.names import names_of
from basketwise.aws.registry.registry import SageMakerRegistry
from basketwise.config import Config


def open_registry(config: Config, workspace: str) -> SageMakerRegistry:
    """Open the registry of the account whose credentials are used.

    Parameters
    ----------
    config : Config
        Sections ``aws`` and ``registry``.
    workspace : str
        Its address, if it is in a bucket: the registry stores its files there.

    Raises
    ------
    DependencyError
        If boto3 is not installed, or AWS refuses.
    """
    sagemaker, s3 = clients.client("sagemaker", config.aws), clients.client("s3", config.aws)
    with translated("find out whose account this is"):
        account = clients.client("sts", config.aws).get_caller_identity()["Account"]
    names = names_of(
        config,
        account_id=account,
        region=sagemaker.meta.region_name,
        workspace=workspace,
    )
    return SageMakerRegistry(sagemaker, s3, names=names, config=config)
