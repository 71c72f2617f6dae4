"""What AWS's refusals mean: one table of codes and texts, with what to do about each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import NamedTuple, TypeVar

from basketwise.errors import DependencyError
from basketwise.redaction import redacting

Answer = TypeVar("Answer")


class Meaning(Enum):
    """What a refusal means to the code that made the request.

    ``NO_KEY`` is about an object, an upload, tags or a setting of a bucket, ``CONFLICT`` about an
    object that somebody else has written, ``MISSING`` and ``EXISTS`` about all other resources.
    """

    DENIED, NO_BUCKET, NO_KEY, MISSING, EXISTS, CONFLICT, NO_CHANGES, OTHER = range(8)


CHANGED = (Meaning.NO_KEY, Meaning.CONFLICT)
"""An object was overwritten or deleted since it was listed."""


class Refusal(NamedTuple):
    """A row of the table: some codes, and of their messages only those with one of ``texts``.

    Codes are those of AWS's answers, names of botocore's errors, the status of a change set, and
    what the failure reason of a job begins with.
    """

    codes: str
    """Separated by spaces."""
    meaning: Meaning = Meaning.OTHER
    hint: str = "Look the code up in the service's documentation; --debug shows the whole answer."
    texts: tuple[str, ...] = ()
    """In lower case; empty: any message."""


UNKNOWN = Refusal("")

# SageMaker and CloudFormation have no code of their own for a resource that does not exist or
# exists already: they refuse the request, and only the message says which it is.
_INVALID = "ValidationException ValidationError"
_INVALID_HINT = (
    "AWS does not accept the request. Usually the role does not exist or SageMaker may\n"
    "not assume it, the bucket is in another region, or the image does not exist. "
    "Check with 'basketwise doctor --aws'."
)

REFUSALS = (
    Refusal(
        # An answer without a body, as to HeadObject, has its HTTP status as its code.
        "AccessDenied AccessDeniedException UnauthorizedOperation Forbidden 403",
        Meaning.DENIED,
        "Attach the policy that 'basketwise aws policy run' (or provision) prints to this user or "
        "role.",
    ),
    Refusal(
        "NoSuchBucket",
        Meaning.NO_BUCKET,
        "Create it with 'basketwise aws provision', or check --workspace and aws.bucket.",
    ),
    Refusal(
        "NoSuchBucketPolicy NoSuchKey NoSuchPublicAccessBlockConfiguration NoSuchTagSet "
        "NoSuchUpload NotFound OwnershipControlsNotFoundError "
        "ServerSideEncryptionConfigurationNotFoundError 404",
        Meaning.NO_KEY,
    ),
    Refusal(
        "InvalidGroup.NotFound InvalidSubnetID.NotFound NoSuchEntity "
        "NotFoundException ResourceNotFound ResourceNotFoundException",
        Meaning.MISSING,
    ),
    Refusal("ResourceInUse", Meaning.EXISTS),
    Refusal(
        "InvalidBucketAclWithObjectOwnership",
        hint="The bucket's access control list lets others in: replace it by a bucket policy, or "
        "choose another bucket with aws.bucket.",
    ),
    Refusal(
        "DeleteConflict",
        hint="Somebody attached a policy to the role, or uses it for instances: detach it in IAM, "
        "then run the same command again.",
    ),
    Refusal("PreconditionFailed 412 ConditionalRequestConflict 409", Meaning.CONFLICT),
    Refusal(
        _INVALID,
        Meaning.MISSING,
        _INVALID_HINT,
        ("does not exist", "could not find", "cannot find", "not found"),
    ),
    Refusal(_INVALID, Meaning.EXISTS, _INVALID_HINT, ("already exists", "already existing")),
    Refusal(_INVALID, hint=_INVALID_HINT),
    Refusal(
        "FAILED",
        Meaning.NO_CHANGES,
        texts=("didn't contain changes", "no updates are to be performed"),
    ),
    Refusal(
        "RequestLimitExceeded SlowDown Throttling ThrottlingException TooManyRequestsException",
        hint="AWS is throttling requests; wait a minute, then run the same command again.",
    ),
    Refusal(
        "ExpiredToken ExpiredTokenException RequestExpired CredentialRetrievalError "
        "LoginRefreshRequired PartialCredentialsError ProfileNotFound SSOTokenLoadError "
        "TokenRetrievalError UnauthorizedSSOTokenError",
        hint="Log in again (aws sso login, or new keys), or choose another AWS_PROFILE.",
    ),
    Refusal(
        "InvalidAccessKeyId InvalidClientTokenId InvalidToken UnrecognizedClientException",
        hint="AWS does not know these credentials; check AWS_PROFILE or AWS_ACCESS_KEY_ID, and "
        "AWS_SESSION_TOKEN if there is one.",
    ),
    Refusal(
        "InvalidSignatureException SignatureDoesNotMatch",
        hint="The secret key does not belong to the access key; check AWS_SECRET_ACCESS_KEY, or "
        "the profile.",
    ),
    Refusal(
        "RequestTimeTooSkewed",
        hint="This machine's clock is off by minutes; set it, then run the command again.",
    ),
    Refusal(
        "ResourceLimitExceeded",
        hint="A quota of the account is used up; 'basketwise doctor --aws' shows how to raise it.",
    ),
    Refusal(
        "301 AuthorizationHeaderMalformed PermanentRedirect",
        hint="The bucket is in another region; set aws.region to the bucket's.",
    ),
    Refusal("ParamValidationError", hint="Correct the setting that the message names."),
    Refusal(
        "CapacityError",
        hint="AWS has no instance of this type available: try again later, choose another instance "
        "type, or set aws.spot to false.",
    ),
    Refusal(
        "InternalServerError InternalError InternalFailure",
        hint="AWS failed internally: try again.",
    ),
    Refusal(
        "ClientError",
        hint="Check aws.image, aws.image_uri and the region. The role may pull only from the "
        "repository that 'basketwise aws provision' was run for.",
        texts=("cannot pull",),
    ),
)


def refusal(code: str, message: str = "", default: Refusal = UNKNOWN) -> Refusal:
    """Return the row of the table for a code and its message, or the default.

    Examples
    --------
    >>> refusal("ValidationException", "Pipeline x does not exist.").meaning.name
    'MISSING'
    >>> refusal("ThrottlingException").hint
    'AWS is throttling requests; wait a minute, then run the same command again.'
    """
    text = message.lower()
    for row in REFUSALS:
        if code in row.codes.split() and (not row.texts or any(part in text for part in row.texts)):
            return row
    return default


def meaning_of(error: BaseException) -> Meaning:
    """Return what a failure of AWS means, or the one that caused an error."""
    meanings = [refusal(*_code_and_message(source)).meaning for source in (error, error.__cause__)]
    return next((meaning for meaning in meanings if meaning is not Meaning.OTHER), Meaning.OTHER)


def _code_and_message(error: BaseException | None) -> tuple[str, str]:
    details = (getattr(error, "response", None) or {}).get("Error", {})
    return str(details.get("Code") or type(error).__name__), str(details.get("Message") or error)


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turn every failure of AWS, known or not, into a DependencyError with AWS's own message.

    Parameters
    ----------
    action : str
        What is attempted, for the headline: ``read s3://bucket/key``.
    """
    from botocore import exceptions as boto
    from urllib3.exceptions import HTTPError

    try:
        with redacting():
            yield
    except boto.NoCredentialsError as error:
        raise DependencyError(
            f"AWS credentials are needed to {action}; none were found.",
            "Run 'aws configure' or 'aws sso login', or set AWS_PROFILE.",
        ) from error
    except boto.ClientError as error:
        code, message = _code_and_message(error)
        hint = refusal(code, message).hint
        raise DependencyError(f"AWS refused to {action}: {message} ({code}).", hint) from error
    except (boto.BotoCoreError, HTTPError, ConnectionError, TimeoutError) as error:
        network = UNKNOWN._replace(hint="Check the network, the region and aws.endpoint_url.")
        hint = refusal(*_code_and_message(error), network).hint
        raise DependencyError(f"Failed to {action}: {error}.", hint) from error


def call(action: str, request: Callable[[], Answer], *expected: Meaning) -> Answer | None:
    """Make a request; return its answer, or None if AWS refuses it for an expected reason.

    Parameters
    ----------
    action : str
        What is attempted; any other failure is raised as :func:`translated` says.
    request : callable
        Makes the request.
    *expected : Meaning
        The refusals that the caller expects.
    """
    with translated(action):
        try:
            return request()
        except Exception as error:
            if meaning_of(error) not in expected:
                raise
    return None
