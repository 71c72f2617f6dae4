"""MLflow as SageMaker runs it: an ARN in place of a server's address.

AWS's plug-in ``sagemaker-mlflow`` makes an address of the ARN and signs every request with the AWS
credentials of whoever runs the command. It is imported only where such a registry is used.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

from basketwise.errors import ConfigError, DependencyError
from basketwise.registry.mlflow.calls import connect, load_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

ARN = re.compile(
    r"arn:aws[a-z-]*:sagemaker:[a-z]{2}(?:-[a-z]+)+-[0-9]:[0-9]{12}:"
    r"mlflow-(?:tracking-server|app)/[A-Za-z0-9][A-Za-z0-9-]*"
)
"""Of a tracking server, or of the newer MLflow app."""

INSTALL = "pip install sagemaker-mlflow"


def is_managed(uri: str) -> bool:
    """Whether a registry's address is the ARN of an MLflow that SageMaker runs.

    Examples
    --------
    >>> is_managed("arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/team")
    True
    >>> is_managed("arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/team")
    False
    """
    return ARN.fullmatch(uri) is not None


def address_of(arn: str) -> str:
    """Return the address that requests to an ARN go to.

    Raises DependencyError without the plug-in, ConfigError if it does not know such a region.
    """
    if find_spec("sagemaker_mlflow") is None:
        raise DependencyError(
            "registry.uri is an MLflow server of SageMaker: it needs the package sagemaker-mlflow.",
            f"Install it: {INSTALL}",
        )
    load_client()
    from sagemaker_mlflow.exceptions import MlflowSageMakerException
    from sagemaker_mlflow.mlflow_sagemaker_helpers import SageMakerMLflowHostMetadataProvider

    provider = SageMakerMLflowHostMetadataProvider()
    try:
        provider.set_arn(arn)
        address: str = provider.construct_tracking_server_url()
    except MlflowSageMakerException as error:
        raise ConfigError(
            f"registry.uri {arn!r} cannot be used: {error}", "Check its partition and region."
        ) from error
    return address


def connect_managed(arn: str) -> MlflowClient:
    """Return a client of an MLflow that SageMaker runs."""
    client = connect(arn)
    import mlflow

    # The plug-in asks for it there, and does not know what a client was made with.
    mlflow.set_tracking_uri(arn)
    return client
