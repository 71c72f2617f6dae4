"""How a job's container is started, and how it learns the settings."""

from __future__ import annotations

from typing import Any

from basketwise.config import AwsConfig, Config
from basketwise.errors import ConfigError
from basketwise.settings import PREFIX, SEPARATOR
from basketwise.template import toml_value

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

RUN_SCRIPT = "run.sh"
"""File below ``code/`` that a job in AWS's image runs: ``RUN``."""

TRAIN_SCRIPT = "train.sh"
"""File below ``code/`` that AWS's training toolkit is to run, see :func:`train_script`."""

RUN = f"""\
#!/bin/sh
# Installs Basketwise and what it needs, then runs it with the arguments of this script.
code=$(dirname "$0")
# A job is stopped by a signal to its first process. A shell obeys it while it waits.
trap 'exit 143' TERM
# A folder of its own, ahead of the image's packages: pip cannot replace those that a Linux
# distribution has installed, and AWS's toolkit needs its own.
export PIP_TARGET=$(mktemp -d)
install() {{ pip install -q --no-deps "$@" & wait $!; }}
# The lock is complete and held to hashes; the wheel brings no libraries.
install --require-hashes -r "$code/requirements.txt" && install "$code"/*.whl || exit
export PYTHONPATH="$PIP_TARGET:$PYTHONPATH"
exec {" ".join(MODULE)} "$@"
"""


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
        For AWS's image, a script that installs Basketwise first: SageMaker takes no more than 256
        characters here.

    Examples
    --------
    >>> entrypoint(AwsConfig(image="own", image_uri="shop/basketwise:1"), "/code")
    ['python', '-m', 'basketwise.aws.container']
    >>> entrypoint(AwsConfig(), "/code")
    ['/bin/sh', '/code/run.sh']
    """
    return list(MODULE) if config.image == "own" else ["/bin/sh", f"{code}/{RUN_SCRIPT}"]


def train_script(code: str) -> str:
    """Return the script that trains where a job cannot name its own entry point.

    Hyperparameters are not handed on: the container reads them from SageMaker's file.
    """
    return f"#!/bin/sh\nexec /bin/sh {code}/{RUN_SCRIPT} train\n"


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
                found[name] = toml_value(_changed(value, default[section][key]))
    for name, text in found.items():
        if len(text) > MAX_VALUE:
            raise ConfigError(
                f"{name} is {len(text)} characters long.",
                f"SageMaker takes at most {MAX_VALUE}; set fewer entries.",
            )
    return found


def _changed(value: Any, default: Any) -> Any:
    """Return a value; of a table, the entries that differ from the default."""
    if not isinstance(value, dict) or not isinstance(default, dict):
        return value
    return {key: item for key, item in value.items() if default.get(key) != item}
