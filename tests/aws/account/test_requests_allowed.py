"""The requests of each combination of settings, held against the policies of whoever sends them."""

from __future__ import annotations

from typing import Any

import pytest

from basketwise.aws.account.policies import policy
from tests.aws.calls import NAMES
from tests.aws.controls import BY_NAME, KEY, aws
from tests.aws.iam_rules import allows
from tests.aws.moto_account import account, client_of
from tests.aws.recording import Call, Recorder
from tests.aws.requests.test_controls import made

METHODS = {
    "CreateEndpoint": "create_endpoint",
    "CreateEndpointConfig": "create_endpoint_config",
    "CreateModel": "create_model",
    "CreateProcessingJob": "create_processing_job",
    "CreateTrainingJob": "create_training_job",
}
DEPLOYED = ("CreateEndpoint", "CreateEndpointConfig", "CreateModel")


class SentError(Exception):
    """A request was about to be sent."""


def stop(**_: Any) -> None:
    raise SentError


def sent(who: str, name: str) -> list[Call]:
    """Return what is called with the requests of a person, as it would be sent."""
    recorder, sagemaker = Recorder(who, NAMES), client_of("sagemaker")
    sagemaker.meta.events.register_last("before-call.sagemaker", stop)
    try:
        with recorder.watching(sagemaker):
            for operation, request in made(name):
                deployed = operation in DEPLOYED
                by_pipeline = "pipelines-x" in request.values()
                sender = "deploy" if deployed else "role" if by_pipeline else "run"
                if sender == who:
                    with pytest.raises(SentError):
                        getattr(sagemaker, METHODS[operation])(**request)
    finally:
        sagemaker.meta.events.unregister("before-call.sagemaker", stop)
    return recorder.calls


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("who", ["run", "deploy", "role"])
def test_what_is_sent_is_allowed(who: str, name: str) -> None:
    settings = aws(name)
    with account() as made_up:
        if who == "role":
            made_up.provision(aws=settings)
            allowed = made_up.role_policy(NAMES.role_arn.rpartition("/")[2])
        else:
            allowed = policy("run" if who == "run" else "deploy", NAMES, settings)
        calls = sent(who, name)
    # Who deploys chooses the role that serves; here it is another.
    calls = [call for call in calls if not call.resource.endswith(":role/serving")]
    refused = [
        str(call) for call in calls if not allows(allowed, call.action, call.resource, call.context)
    ]
    assert calls
    assert not refused
    granted = {call.resource for call in calls if call.action == "kms:CreateGrant"}
    assert granted == ({KEY} if settings.kms_key else set())
