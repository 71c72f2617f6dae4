"""What AWS's errors mean: one table of their codes, and what to do about each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from basketwise.errors import DependencyError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

Answer = TypeVar("Answer")

DENIED = frozenset(
    # An answer without a body, as to HeadObject, has its HTTP status as its code.
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"}
)
NO_BUCKET = frozenset({"NoSuchBucket"})
NO_OBJECT = frozenset({"NoSuchKey", "NotFound", "404"})
MISSING = NO_BUCKET | {"NoSuchEntity", "ResourceNotFound", "ResourceNotFoundException"}
CONFLICT = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
"""Somebody else has written the object, or it is there already."""

INVALID = frozenset({"ValidationException", "ValidationError"})
"""SageMaker and CloudFormation have no code of their own for what does not exist or exists already:
they refuse the request, and only the message tells these from one that is malformed."""

LOGGED_OUT = frozenset(
    {
        "CredentialRetrievalError",
        "LoginRefreshRequired",
        "PartialCredentialsError",
        "ProfileNotFound",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)
"""botocore's error classes that a new log-in helps against; not every version has all of them."""

HINTS: Mapping[frozenset[str], str] = {
    frozenset(
        {
            "RequestLimitExceeded",
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        }
    ): "AWS is throttling requests; wait a minute, then run the same command again.",
    DENIED: "Give the user or role the permission: attach what 'basketwise aws policy run' "
    "(or provision) prints.",
    frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"}): "The credentials have "
    "expired; log in again (aws sso login, or new keys).",
    frozenset(
        {
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidToken",
            "UnrecognizedClientException",
        }
    ): "AWS does not know these credentials; check AWS_PROFILE or AWS_ACCESS_KEY_ID, "
    "and AWS_SESSION_TOKEN if there is one.",
    frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"}): "The secret key does not "
    "belong to the access key; check AWS_SECRET_ACCESS_KEY, or the profile.",
    frozenset({"RequestTimeTooSkewed"}): "This machine's clock is off by minutes; set it, then run "
    "the command again.",
    INVALID: "AWS does not accept the request. Usually the role does not exist or SageMaker may\n"
    "not assume it, the bucket is in another region, or the image does not exist. "
    "Check with 'basketwise doctor --aws'.",
    NO_BUCKET: "Create it with 'basketwise aws provision', or check --workspace and aws.bucket.",
    frozenset({"ResourceLimitExceeded"}): "A quota of the account is used up; 'basketwise doctor "
    "--aws' shows how to raise it.",
    frozenset({"301", "AuthorizationHeaderMalformed", "PermanentRedirect"}): "The bucket is in "
    "another region; set aws.region to the bucket's.",
}


def hint_for(code: str) -> str:
    """Say what to do about an error code of AWS.

    Examples
    --------
    >>> hint_for("ThrottlingException")
    'AWS is throttling requests; wait a minute, then run the same command again.'
    """
    return next(
        (hint for codes, hint in HINTS.items() if code in codes),
        "Look the code up in the service's documentation; --debug shows the whole answer.",
    )


def code_of(error: BaseException | None) -> str:
    """Return AWS's code of a refusal, or of the refusal that caused an error of ours; else ''."""
    for refusal in (error, getattr(error, "__cause__", None)):
        if answer := getattr(refusal, "response", None):
            return str(answer.get("Error", {}).get("Code", ""))
    return ""


def no_object(error: ClientError) -> bool:
    """Whether there is no such object, in a bucket that exists."""
    return code_of(error) in NO_OBJECT


def missing(error: ClientError) -> bool:
    """Whether what a request is about does not exist."""
    texts = ("does not exist", "could not find", "cannot find", "not found")
    return code_of(error) in MISSING or _invalid(error, *texts)


def exists(error: ClientError) -> bool:
    """Whether what a request is to create exists already."""
    return code_of(error) == "ResourceInUse" or _invalid(error, "already exists")


def conflict(error: ClientError) -> bool:
    """Whether an object is not, or no longer, what a request takes it for."""
    return code_of(error) in CONFLICT


def changed(error: ClientError) -> bool:
    """Whether an object was overwritten or deleted since it was listed."""
    return no_object(error) or conflict(error)


def _invalid(error: ClientError, *texts: str) -> bool:
    message = str(error.response.get("Error", {}).get("Message", "")).lower()
    return code_of(error) in INVALID and any(text in message for text in texts)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn botocore's errors into ours; others are not AWS's.

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
        code = code_of(error) or "unknown"
        message = error.response.get("Error", {}).get("Message") or code
        raise DependencyError(
            f"AWS refused to {doing}: {message} ({code}).", hint_for(code)
        ) from error
    except (boto.BotoCoreError, ConnectionError, TimeoutError) as error:
        raise DependencyError(
            f"AWS could not be asked to {doing}: {error}.",
            "Check the network, the region and aws.endpoint_url.",
        ) from error


def ask(
    doing: str, request: Callable[[], Answer], unless: Callable[[ClientError], bool]
) -> Answer | None:
    """Return the answer to a request; None if AWS refuses it for a reason that is expected.

    Parameters
    ----------
    doing : str
        What is tried, see :func:`translated`; any other refusal is raised as it says.
    request : callable
        Makes the request.
    unless : callable
        Whether a refusal is the expected one: :func:`missing`, :func:`exists` …
    """
    from botocore.exceptions import ClientError

    with translated(doing):
        try:
            return request()
        except ClientError as error:
            if not unless(error):
                raise
    return None
