"""boto3 clients of the services that are used."""

from __future__ import annotations

from functools import cache
from typing import Any

from basketwise.aws.errors import translated
from basketwise.aws.listing import EVENT, parse_objects
from basketwise.config import AwsConfig
from basketwise.errors import ConfigError, DependencyError
from basketwise.redaction import redact_chain, redacted_address
from basketwise.registry.opening import is_server

INSTALL = "pip install boto3"

WRITES = ("CopyObject", "CreateMultipartUpload", "PutObject")
"""Operations of S3 that say how an object is encrypted."""


def client(service: str, config: AwsConfig) -> Any:
    """Return a boto3 client of a service; the functions that take it declare its type.

    Parameters
    ----------
    service : str
        Its name in boto3.
    config : AwsConfig
        Region; the endpoint where one is set; the key that objects in S3 are encrypted with.

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
    if endpoint and not is_server(endpoint):
        raise _invalid(endpoint)
    try:
        # The region is also read from the profile, which may not exist.
        with translated(f"open {service}"):
            core = get_session()
            core.register_component("data_loader", _loader())
            session: Any = boto3.Session(region_name=config.region or None, botocore_session=core)
            if session.region_name:
                made = session.client(service, endpoint_url=endpoint, config=options)
                if service == "s3" and config.kms_key:
                    _encrypt(made, config.kms_key)
                made.meta.events.register(EVENT, parse_objects)
                return made
    except ValueError as error:
        redact_chain(error)
        raise _invalid(config.endpoint_url) from error
    raise ConfigError("No AWS region is known.", "Set aws.region, or AWS_DEFAULT_REGION.")


def _encrypt(s3: Any, key: str) -> None:
    """Have every object that a client of S3 writes encrypted with a key, whatever the bucket does.

    An organization's rules may refuse a request that does not say so itself.
    """

    def add(params: dict[str, Any], **_: object) -> None:
        params |= {
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": key,
            "BucketKeyEnabled": True,
        }

    for operation in WRITES:
        s3.meta.events.register(f"before-parameter-build.s3.{operation}", add)


def _invalid(endpoint: str) -> ConfigError:
    return ConfigError(
        f"aws.endpoint_url is {redacted_address(endpoint)!r}, which is not a valid endpoint.",
        "Give http(s)://host[:port], or leave it empty.",
    )


@cache
def _loader() -> Any:
    """Return a loader of boto3's service descriptions, which it parses once per process.

    Every client has a session of its own, which would parse those megabytes of JSON anew.
    """
    from botocore.session import get_session

    return get_session().get_component("data_loader")
