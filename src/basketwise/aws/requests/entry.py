"""How a job's container is started, and how it learns the settings."""

from __future__ import annotations

import json
from typing import Any

from basketwise.config import AwsConfig, Config
from basketwise.errors import ConfigError
from basketwise.settings import PREFIX, SEPARATOR

CODE = "code"
"""Prefix of the workspace, input and channel that hold ``requirements.txt`` and the wheel."""

MODULE = ("python", "-m", "basketwise.aws.container")

SECTIONS = (
    "data",
    "etl",
    "features",
    "index",
    "split",
    "training",
    "evaluation",
    "gate",
    "business",
)
"""What a stage may need to know; where versions are kept, and with which password, it need not."""

MAX_VALUE = 256
"""Characters of a processing job's environment variable."""

TRAIN_SCRIPT = "train.sh"
"""File below ``code/`` that AWS's training toolkit is to run, see :func:`train_script`."""


def entrypoint(config: AwsConfig, code: str) -> list[str]:
    """Return what a container runs; the command and its options follow as arguments.

    Parameters
    ----------
    config : AwsConfig
        Which image it is.
    code : str
        Where ``code/`` is mounted in the container.

    Returns
    -------
    list of str
        For AWS's image, a shell that installs Basketwise first. Every library is held to its
        hash, and the wheel brings none of its own.

    Examples
    --------
    >>> entrypoint(AwsConfig(image="own", image_uri="shop/basketwise:1"), "/code")
    ['python', '-m', 'basketwise.aws.container']
    >>> entrypoint(AwsConfig(), "/code")[:2]
    ['/bin/sh', '-c']
    """
    if config.image == "own":
        return list(MODULE)
    # exec: a stopped job's signal goes to the first process, which must not be the shell.
    # The last part is $0 of the shell.
    return ["/bin/sh", "-c", f'{_install(code)} && exec {" ".join(MODULE)} "$@"', "basketwise"]


def train_script(code: str) -> str:
    """Return the script that trains where a job cannot name its own entry point.

    Hyperparameters are not handed on: the container reads them from SageMaker's file.
    """
    return f"#!/bin/sh\n{_install(code)} && exec {' '.join(MODULE)} train\n"


def _install(code: str) -> str:
    # Into a folder of its own, ahead of the image's packages, which stay as they are: pip cannot
    # replace those that a Linux distribution has put there, and AWS's toolkit needs its own.
    # -q, not --quiet: SageMaker takes 256 characters, and these are all of them.
    return (
        "export PIP_TARGET=$(mktemp -d)"
        f" && pip install -q --require-hashes -r {code}/requirements.txt"
        f" && pip install -q --no-deps {code}/*.whl"
        " && export PYTHONPATH=$PIP_TARGET:$PYTHONPATH"
    )


def environment(config: Config) -> dict[str, str]:
    """Return the settings that differ from the defaults, as environment variables.

    Returns
    -------
    dict of str to str
        By ``BASKETWISE_<SECTION>__<KEY>``, values in TOML; of a table only what differs.

    Raises
    ------
    ConfigError
        If a value is too long for SageMaker.

    Examples
    --------
    >>> from basketwise.config import TrainingConfig
    >>> environment(Config(training=TrainingConfig(folds=3)))
    {'BASKETWISE_TRAINING__FOLDS': '3'}
    """
    default, values = Config().model_dump(mode="json"), config.model_dump(mode="json")
    found = {}
    for section in SECTIONS:
        for key, value in values[section].items():
            if value != default[section][key]:
                name = f"{PREFIX}{section}{SEPARATOR}{key}".upper()
                found[name] = _toml(value, default[section][key])
    for name, text in found.items():
        if len(text) > MAX_VALUE:
            raise ConfigError(
                f"{name} is {len(text)} characters long.",
                f"SageMaker takes at most {MAX_VALUE}; set fewer entries.",
            )
    return found


def _toml(value: Any, default: Any = None) -> str:
    """Write a value as TOML does, on one line."""
    if isinstance(value, dict):
        known = default if isinstance(default, dict) else {}
        changed = {key: item for key, item in value.items() if known.get(key) != item}
        pairs = (f"{json.dumps(key)} = {_toml(item)}" for key, item in changed.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
