"""Selection of the job to follow: the latest with the same work, or a new one.

A job is named after its run, so its name does not show what it was started for: data or code may
have changed since, or a run of the same name may exist in another workspace. So each job carries a
digest of its work, and only a job with the same digest is reused. Key, VPC and isolation are part
of it: whoever sets them expects that what is used was made under them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from basketwise.aws.running.jobs import DIGEST_VARIABLE, ENDED, JobState, Kind, describe
from basketwise.errors import DependencyError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

MAX_ATTEMPTS = 50
"""Of a run and a stage."""


def digest_of(**work: Any) -> str:
    """Return the digest of a job's work.

    Examples
    --------
    >>> len(digest_of(stage="etl", inputs={"a.csv": "9f86"}))
    32
    """
    return hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()[:32]


def with_digest(request: dict[str, Any], digest: str) -> dict[str, Any]:
    """Return a job's request with its digest."""
    return {**request, "Environment": {**request.get("Environment", {}), DIGEST_VARIABLE: digest}}


def attempts(sagemaker: SageMakerClient, kind: Kind, first: str) -> Iterator[JobState]:
    """Yield all jobs of a run and a stage, oldest first, given the name of the first.

    Raises DependencyError if there are too many.
    """
    for number in range(1, MAX_ATTEMPTS + 1):
        state = describe(sagemaker, kind, attempt_name(first, number))
        if state is None:
            return
        yield state
    raise DependencyError(f"There are {MAX_ATTEMPTS} jobs {first}.", "Use another name.")


def attempt_name(first: str, number: int) -> str:
    """Name an attempt.

    Examples
    --------
    >>> attempt_name("etl-run-7", 1), attempt_name("etl-run-7", 2)
    ('etl-run-7', 'etl-run-7-2')
    """
    return first if number == 1 else f"{first}-{number}"


def select_job(
    sagemaker: SageMakerClient,
    kind: Kind,
    request: dict[str, Any],
    workspace: str,
    unusable: Collection[str] = (),
) -> str:
    """Return the name of the job to follow, or to start if it does not exist.

    Parameters
    ----------
    sagemaker, kind
        The client, and the kind of the job.
    request : dict
        Request of the first attempt, with its digest.
    workspace : str
        S3 URI that the job writes below.
    unusable : collection of str
        Names of jobs whose outputs cannot be used.

    Raises
    ------
    DependencyError
        If there are too many attempts; or if one with other work still runs in this workspace.
    """
    first, digest = request[f"{kind}JobName"], request["Environment"][DIGEST_VARIABLE]
    started, latest = list(attempts(sagemaker, kind, first)), ""
    for state in started:
        if state.digest == digest:
            is_usable = state.status in ("Completed", "InProgress") and state.name not in unusable
            latest = state.name if is_usable else ""
        elif state.status not in ENDED and state.output_uri.startswith(workspace):
            raise DependencyError(
                f"The job {state.name} is still running in {workspace}, on other data or settings.",
                "Wait until it ends, or stop it in SageMaker; then run this command again.",
            )
    return latest or attempt_name(first, len(started) + 1)
