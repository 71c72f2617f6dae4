"""Which job of a run and a stage is followed: the latest that does the same work, or a new one.

A job is named after its run, so names alone cannot tell what it was started for: data or code may
have changed since, or a run of the same name may be in another workspace. So each job carries a
digest of all that it is to do, and only a job of the same digest is taken for one's own.
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

ATTEMPTS = 50
"""So many jobs of a run and a stage at most."""


def digest_of(**work: Any) -> str:
    """Return the digest of all that a job is to do.

    Examples
    --------
    >>> len(digest_of(stage="etl", inputs={"a.csv": "9f86"}))
    32
    """
    return hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()[:32]


def marked(request: dict[str, Any], digest: str) -> dict[str, Any]:
    """Return a job's request with its digest."""
    return {**request, "Environment": {**request.get("Environment", {}), DIGEST_VARIABLE: digest}}


def attempts(sagemaker: SageMakerClient, kind: Kind, first: str) -> Iterator[JobState]:
    """Give all jobs of a run and a stage, oldest first, by the name of the first.

    Raises DependencyError if there are too many.
    """
    for number in range(1, ATTEMPTS + 1):
        state = describe(sagemaker, kind, name_of(first, number))
        if state is None:
            return
        yield state
    raise DependencyError(f"There are {ATTEMPTS} jobs {first}.", "Start a run of another name.")


def name_of(first: str, number: int) -> str:
    """Name an attempt.

    Examples
    --------
    >>> name_of("etl-run-7", 1), name_of("etl-run-7", 2)
    ('etl-run-7', 'etl-run-7-2')
    """
    return first if number == 1 else f"{first}-{number}"


def choose(
    sagemaker: SageMakerClient,
    kind: Kind,
    request: dict[str, Any],
    workspace: str,
    unusable: Collection[str] = (),
) -> str:
    """Name the job to follow; to be started if there is none of that name.

    Parameters
    ----------
    sagemaker, kind
        Whom to ask about jobs of which kind.
    request : dict
        Of the first attempt, marked.
    workspace : str
        S3 URI that the job writes below.
    unusable : collection of str
        Names of jobs whose outputs cannot be used any more.

    Raises
    ------
    DependencyError
        If there are too many attempts; or if one still works in this workspace on something else.
    """
    first, digest = request[f"{kind}JobName"], request["Environment"][DIGEST_VARIABLE]
    started, latest = list(attempts(sagemaker, kind, first)), ""
    for state in started:
        if state.digest == digest:
            is_useful = state.status in ("Completed", "InProgress") and state.name not in unusable
            latest = state.name if is_useful else ""
        elif state.status not in ENDED and state.place.startswith(workspace):
            raise DependencyError(
                f"The job {state.name} still works in {workspace}, on other data or settings.",
                "Wait for its end, or stop it in SageMaker; then start this command again.",
            )
    return latest or name_of(first, len(started) + 1)
