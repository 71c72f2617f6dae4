"""How a job's container is started, and how it gets the settings."""

from __future__ import annotations

from basketwise.aws.container.layout import MAX_REASON
from basketwise.aws.container.stopping import STOPPED
from basketwise.config import AwsConfig, Config
from basketwise.errors import ConfigError, DependencyError
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


def installing(pip: str, folder: str, requirements: str, then: str) -> str:
    """Return a script that installs Basketwise and what it needs, and goes on with a command.

    Where that fails, it writes pip's last error where SageMaker reads the reason of a failure, and
    ends with the exit code of a :class:`~basketwise.errors.DependencyError`.

    Parameters
    ----------
    pip : str
        The image's command.
    folder : str
        Where to install, as a shell says it; ``$work`` is an empty folder.
    requirements : str
        The lock's file below ``code/``.
    then : str
        What runs then, as a shell says it.
    """
    return f"""\
#!/bin/sh
# Installs Basketwise and what it needs, then runs it with the arguments of this script.
code=$(dirname "$0")
# A job is stopped by a signal to its first process, which ignores what it does not handle. A shell
# obeys it while it waits, so it waits for everything that takes time.
trap 'kill $! 2>/dev/null; exit {STOPPED}' TERM
run() {{ "$@" & wait $!; }}
fail() {{
    echo "$1" >&2
    output=${{SAGEMAKER_BASE_DIR:-/opt/ml}}/output
    mkdir -p "$output"
    # Read as a training's reason, and as a processing job's: {MAX_REASON} bytes of UTF-8.
    for name in failure message; do
        echo "$1" | LC_ALL=C tr -cd '\\n[:print:]' | head -c {MAX_REASON} >"$output/$name"
    done
    exit {DependencyError.exit_code}
}}
work=$(mktemp -d) && mkfifo "$work/pipe" || fail 'There is no room for temporary files.'
# A folder of its own, ahead of the image's packages: pip cannot replace those that a Linux
# distribution has installed, and AWS's toolkit needs its own.
export PIP_TARGET={folder}
install() {{
    tee "$work/errors" <"$work/pipe" >&2 & copying=$!
    {pip} install -q --no-deps "$@" 2>"$work/pipe" & wait $!
    ended=$?
    wait $copying
    [ $ended = 0 ] && return
    reason=$(sed -n 's/^ERROR: //p' "$work/errors" | tail -n 1)
    fail "Basketwise cannot be installed: ${{reason:-{pip} ended with exit code $ended.}}
A job needs a package index with all of {requirements}, or an image of your own."
}}
# The lock is complete and held to hashes; the wheel brings no libraries.
install --require-hashes -r "$code/{requirements}"
install "$code"/*.whl
{then}
"""


RUN = installing(
    "pip",
    "$work/libraries",
    "requirements.txt",
    f'export PYTHONPATH="$PIP_TARGET:$PYTHONPATH"\nrun {" ".join(MODULE)} "$@"',
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
