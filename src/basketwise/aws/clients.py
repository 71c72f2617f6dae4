"""boto3 clients, and what their errors mean to a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from basketwise.config import AwsConfig
from basketwise.errors import ConfigError, DependencyError

INSTALL = "pip install 'basketwise[aws]'"

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
    }
)
DENIED = frozenset(
    # Without a body, as of HeadObject, the status is all there is.
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"}
)
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
UNKNOWN_KEY = frozenset(
    {"InvalidClientTokenId", "InvalidAccessKeyId", "InvalidToken", "UnrecognizedClientException"}
)
WRONG_SECRET = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException"})
WRONG_CLOCK = frozenset({"RequestTimeTooSkewed"})
NOT_ACCEPTED = frozenset({"ValidationException"})
NO_BUCKET = frozenset({"NoSuchBucket"})
LIMIT = frozenset({"ResourceLimitExceeded"})
WRONG_REGION = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "301"})

GONE = frozenset({"NoSuchBucket", "ResourceNotFound"})
"""Error codes of what is not there."""

GONE_WORDS = ("does not exist", "could not find", "cannot find", "not found")
"""SageMaker answers a plain ValidationException and says it in words."""

HINTS: Mapping[frozenset[str], str] = {
    THROTTLED: "AWS asks for fewer calls; wait a minute, then start the same command again.",
    DENIED: "Give the user or role the permission: attach what 'basketwise aws policy run' "
    "(or provision) prints.",
    EXPIRED: "The credentials have expired; log in again (aws sso login, or new keys).",
    UNKNOWN_KEY: "AWS does not know these credentials; check AWS_PROFILE or AWS_ACCESS_KEY_ID, "
    "and AWS_SESSION_TOKEN if there is one.",
    WRONG_SECRET: "The secret key does not belong to the access key; check AWS_SECRET_ACCESS_KEY, "
    "or the profile.",
    WRONG_CLOCK: "This machine's clock is wrong by minutes; set it, then start the command again.",
    NOT_ACCEPTED: "AWS does not accept the request: mostly the role does not exist or SageMaker "
    "may not\nassume it, the bucket lies in another region, or the image is not there. "
    "'basketwise doctor --aws' looks.",
    NO_BUCKET: "Make it with 'basketwise aws provision', or check --workspace and aws.bucket.",
    LIMIT: "A quota of the account is used up; 'basketwise doctor --aws' says how to raise it.",
    WRONG_REGION: "The bucket lies in another region; set aws.region to the bucket's.",
}


def client(service: str, config: AwsConfig) -> Any:
    """Return a boto3 client of a service.

    Parameters
    ----------
    service : str
        ``s3``, ``sagemaker``, ``logs``, ``sts``, ``iam``, ``cloudformation`` or
        ``service-quotas``.
    config : AwsConfig
        Region, and another address where one is set.

    Raises
    ------
    DependencyError
        If boto3 is not installed.
    ConfigError
        If no region is known.
    """
    try:
        import boto3
        from botocore.config import Config as BotoConfig
    except ImportError as error:
        raise DependencyError("AWS needs the package boto3.", f"Install it: {INSTALL}") from error
    # Also the region is read from the profile, which may not be there.
    with translated(f"open {service}"):
        session = boto3.Session(region_name=config.region or None)
        region = session.region_name
    if not region:
        raise ConfigError("No AWS region is known.", "Set aws.region, or AWS_DEFAULT_REGION.")
    # Adaptive: a throttled client slows down by itself instead of failing.
    options = BotoConfig(retries={"mode": "adaptive", "max_attempts": 8}, connect_timeout=10)
    with translated(f"open {service}"):
        return session.client(service, endpoint_url=config.endpoint_url or None, config=options)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn botocore's errors into ours.

    Parameters
    ----------
    doing : str
        What was tried, for the headline: ``read s3://bucket/key``.

    Raises
    ------
    DependencyError
        For whatever AWS or the way to it refuses.
    """
    from botocore import exceptions as boto

    try:
        yield
    except boto.NoCredentialsError as error:
        raise DependencyError(
            f"AWS credentials are needed to {doing}; none were found.",
            "Run 'aws configure' or 'aws sso login', or set AWS_PROFILE.",
        ) from error
    except boto.ClientError as error:
        found = error.response.get("Error", {})
        code = str(found.get("Code", "unknown"))
        raise DependencyError(
            f"AWS refused to {doing}: {found.get('Message') or code} ({code}).", hint_for(code)
        ) from error
    except (boto.BotoCoreError, OSError) as error:
        raise DependencyError(
            f"AWS could not be asked to {doing}: {error}.",
            "Check the network, the region and aws.endpoint_url.",
        ) from error


def code_of(error: Any) -> str:
    """Return the code of a botocore ``ClientError``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def unless_gone(doing: str, call: Callable[[], Any], *, empty: str = "") -> Any:
    """Return a call's answer; None if what it is about is gone, [] at the error code ``empty``."""
    from botocore.exceptions import ClientError

    with translated(doing):
        try:
            return call()
        except ClientError as error:
            code = code_of(error)
            message = str(error.response.get("Error", {}).get("Message", "")).lower()
            if code == empty:
                return []
            if code in GONE or any(word in message for word in GONE_WORDS):
                return None
            raise


def hint_for(code: str) -> str:
    """Say what to do about an error code of AWS.

    Examples
    --------
    >>> hint_for("ThrottlingException")
    'AWS asks for fewer calls; wait a minute, then start the same command again.'
    """
    return next(
        (hint for codes, hint in HINTS.items() if code in codes),
        "Look the code up in the service's documentation; --debug shows the whole answer.",
    )
