"""How a job's container is started, and how it gets the settings."""

from __future__ import annotations

from basketwise.config import AwsConfig, Config
from basketwise.errors import ConfigError
from basketwise.settings import PREFIX, SEPARATOR
from basketwise.template import toml_value

CODE = "code"
"""Prefix of the workspace, input and channel that contain ``requirements.txt`` and the wheel."""

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
"""Sections that jobs receive; not where versions are stored, with which password."""

MAX_VALUE = 256
"""Characters of a processing job's environment variable."""

RUN_SCRIPT = "run.sh"
"""File below ``code/`` that a job in AWS's image runs: ``RUN``."""

TRAIN_SCRIPT = "train.sh"
"""File below ``code/`` that AWS's training toolkit is to run, see :func:`train_script`."""


def installing(pip: str, folder: str, requirements: str, then: str) -> str:
    """Return a script that installs Basketwise and what it needs, and goes on with a command.

    Parameters
    ----------
    pip : str
        The image's command.
    folder : str
        Where to install, as a shell says it.
    requirements : str
        The lock's file below ``code/``.
    then : str
        What follows: lines of shell.
    """
    return f"""\
#!/bin/sh
# Installs Basketwise and what it needs, then runs it with the arguments of this script.
code=$(dirname "$0")
# A job is stopped by a signal to its first process. A shell obeys it while it waits.
trap 'exit 143' TERM
# A folder of its own, ahead of the image's packages: pip cannot replace those that a Linux
# distribution has installed, and AWS's toolkit needs its own.
export PIP_TARGET={folder}
install() {{ {pip} install -q --no-deps "$@" & wait $!; }}
# The lock is complete and held to hashes; the wheel brings no libraries.
install --require-hashes -r "$code/{requirements}" && install "$code"/*.whl || exit
{then}
"""


RUN = installing(
    "pip",
    "$(mktemp -d)",
    "requirements.txt",
    f'export PYTHONPATH="$PIP_TARGET:$PYTHONPATH"\nexec {" ".join(MODULE)} "$@"',
)


def entrypoint(config: AwsConfig, code: str) -> list[str]:
    """Return what a container runs; the command and its options follow as arguments.

    In AWS's image that is a script below ``code``, where ``code/`` is mounted, which installs
    Basketwise first: SageMaker allows at most 256 characters here.

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

    Hyperparameters are not passed on: the container reads them from SageMaker's file.
    """
    return f"#!/bin/sh\nexec /bin/sh {code}/{RUN_SCRIPT} train\n"


def environment(config: Config) -> dict[str, str]:
    """Return the settings that differ from the defaults, as environment variables.

    They are called ``BASKETWISE_<SECTION>__<KEY>``, values in TOML; of a table only what differs.
    Raises ConfigError if a value is too long for SageMaker, or names a file of this machine.

    Examples
    --------
    >>> from basketwise.config import TrainingConfig
    >>> environment(Config(training=TrainingConfig(folds=3)))
    {'BASKETWISE_TRAINING__FOLDS': '3'}
    """
    if config.data.products:
        raise ConfigError(
            f"Jobs on SageMaker cannot read the product file {config.data.products!r}.",
            "Write PROD_NAME and the hierarchy into the lines, or run on this machine: basketwise "
            "run, whose --workspace can be in a bucket too.",
        )
    default, values = Config().model_dump(mode="json"), config.model_dump(mode="json")
    variables = {}
    for section in SECTIONS:
        for key, value in values[section].items():
            preset = default[section][key]
            if value == preset:
                continue
            if isinstance(value, dict) and isinstance(preset, dict):
                value = {name: item for name, item in value.items() if preset.get(name) != item}
            name, text = f"{PREFIX}{section}{SEPARATOR}{key}".upper(), toml_value(value)
            if len(text) > MAX_VALUE:
                raise ConfigError(
                    f"{name} is {len(text)} characters long.",
                    f"SageMaker takes at most {MAX_VALUE}; set fewer entries.",
                )
            variables[name] = text
    return variables
