"""boto3 clients of the services that are used."""

from __future__ import annotations

from functools import cache
from typing import Any

from basketwise.aws.errors import translated
from basketwise.config import AwsConfig, without_password
from basketwise.errors import ConfigError, DependencyError

INSTALL = "pip install boto3"


def client(service: str, config: AwsConfig) -> Any:
    """Return a boto3 client of a service; the functions that take it declare its type.

    Parameters
    ----------
    service : str
        Its name in boto3.
    config : AwsConfig
        Region, and the endpoint where one is set.

    Raises
    ------
    DependencyError
        If boto3 is not installed.
    ConfigError
        If no region is known, or the endpoint is not a URL.
    """
    try:
        import boto3
        from botocore.config import Config as BotoConfig
        from botocore.session import get_session
    except ImportError as error:
        raise DependencyError("AWS needs the package boto3.", f"Install it: {INSTALL}") from error
    # Adaptive: a throttled client slows down by itself instead of failing.
    options = BotoConfig(retries={"mode": "adaptive", "max_attempts": 8}, connect_timeout=10)
    endpoint = config.endpoint_url or None
    try:
        # The region is also read from the profile, which may not exist.
        with translated(f"open {service}"):
            core = get_session()
            core.register_component("data_loader", _loader())
            session: Any = boto3.Session(region_name=config.region or None, botocore_session=core)
            if session.region_name:
                return session.client(service, endpoint_url=endpoint, config=options)
    except ValueError as error:
        headline = f"aws.endpoint_url is not a valid endpoint: {without_password(str(error))}."
        raise ConfigError(headline, "Give http(s)://host[:port], or leave it empty.") from error
    raise ConfigError("No AWS region is known.", "Set aws.region, or AWS_DEFAULT_REGION.")


@cache
def _loader() -> Any:
    """Return a loader of boto3's service descriptions, which it parses once per process.

    Every client has a session of its own, which would parse those megabytes of JSON anew.
    """
    from botocore.session import get_session

    return get_session().get_component("data_loader")
