"""What a deployment is told beside the model: names and addresses, each of a strict form.

They end up in Dockerfiles, YAML and shell scripts; nothing that has a meaning there is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from basketwise.errors import ConfigError

IMAGE = (
    r"^$|^(?:[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?@sha256:[0-9a-f]{64}$"
)
HOST = r"^$|^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$"
NAME = r"^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$"
"""SageMaker's names are made of it, the version and digests, and take 63 characters."""
ROLE = r"^$|^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,512}$"
REGION = r"^$|^[a-z]{2}(?:-[a-z]+)+-[0-9]$"
MODEL_URL = r"^$|^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9_./=@+-]{1,900}$"

ALLOWED = {
    "base": "an image with its digest: docker.io/library/python:3.12-slim@sha256:…",
    "image": "an image with its digest: registry/repository@sha256:…",
    "name": "1 to 32 lower-case letters, digits and hyphens, a letter first",
    "namespace": "1 to 32 lower-case letters, digits and hyphens, a letter first",
    "host": "a host name in lower-case letters, digits and hyphens: scores.example.com",
    "role_arn": "the ARN of an IAM role: arn:aws:iam::123456789012:role/name",
    "region": "a region of AWS: eu-west-1",
    "model_url": "the archive in a bucket: s3://bucket/prefix/model.tar.gz",
}
"""What is allowed, in words."""


class Options(BaseModel):
    """Names and addresses of a deployment; empty: not given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    base: Annotated[str, Field(pattern=IMAGE)] = ""
    """The image that the built one starts from."""
    image: Annotated[str, Field(pattern=IMAGE)] = ""
    """The image that serves the model."""
    name: Annotated[str, Field(pattern=NAME)] = "retail-api"
    """Of the service, and the first part of what belongs to it."""
    namespace: Annotated[str, Field(pattern=NAME)] = "mlops"
    """Of Kubernetes."""
    host: Annotated[str, Field(pattern=HOST)] = ""
    """By which the service is reached from outside of the cluster."""
    role_arn: Annotated[str, Field(pattern=ROLE)] = ""
    """The role that the service runs under."""
    region: Annotated[str, Field(pattern=REGION)] = ""
    """Of AWS."""
    model_url: Annotated[str, Field(pattern=MODEL_URL)] = ""
    """Where the archive is stored, if the registry stores it elsewhere."""


def options_of(given: Mapping[str, str | None]) -> Options:
    """Check what was given; a ConfigError names the option, its value and what is allowed.

    Examples
    --------
    >>> options_of({"name": "retail-api", "host": None}).name
    'retail-api'
    """
    values = {name: value for name, value in given.items() if value is not None}
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        option = name.replace("_", "-")
        raise ConfigError(f"--{option} is {values[name]!r}.", f"Give {ALLOWED[name]}.") from error


def required(options: Options, name: str, why: str) -> str:
    """Return an option that must be given here; the ConfigError says why."""
    value: str = getattr(options, name)
    if not value:
        raise ConfigError(f"--{name.replace('_', '-')} is missing: {why}", f"Give {ALLOWED[name]}.")
    return value
