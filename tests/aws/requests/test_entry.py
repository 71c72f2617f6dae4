import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from basketwise.aws.container.stopping import STOPPED
from basketwise.aws.requests.entry import RUN, SECTIONS, entrypoint, environment
from basketwise.config import (
    AwsConfig,
    BusinessConfig,
    Config,
    DataConfig,
    EtlConfig,
    EvaluationConfig,
    RegistryConfig,
    TrainingConfig,
)
from basketwise.errors import ConfigError, DependencyError
from basketwise.settings import load_config
from tests.aws.double.first_process import first_process
from tests.aws.double.mounts import NOT_ALLOWED, may_mount
from tests.aws.wheel_index import offered, write_library

RECORDER = (
    '#!/bin/sh\nprintf "%s" "${0##*/}" >>"$LOG"\nprintf " <%s>" "$@" >>"$LOG"\necho >>"$LOG"\n'
)


@pytest.fixture
def run_with(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A code folder, and an environment whose pip and python only write down what they get."""
    for name in ("pip", "python"):
        (tmp_path / name).write_text(RECORDER, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    code = tmp_path / "code"
    code.mkdir()
    (code / "basketwise-1.0-py3-none-any.whl").touch()
    (code / "run.sh").write_text(RUN, encoding="utf-8")
    return code, {"PATH": f"{tmp_path}:/usr/bin:/bin", "LOG": str(tmp_path / "log")}


def test_aws_image_installs_then_runs_what_it_is_given(
    run_with: tuple[Path, dict[str, str]],
) -> None:
    code, env = run_with
    command = [*entrypoint(AwsConfig(), str(code)), "processing", "--bucket-name", "a b"]
    subprocess.run(command, env=env, check=True)
    assert Path(env["LOG"]).read_text(encoding="utf-8").splitlines() == [
        f"pip <install> <-q> <--no-deps> <--require-hashes> <-r> <{code}/requirements.txt>",
        f"pip <install> <-q> <--no-deps> <{code}/basketwise-1.0-py3-none-any.whl>",
        "python <-m> <basketwise.aws.container> <processing> <--bucket-name> <a b>",
    ]


def reasons(output: Path) -> set[str]:
    """Read where SageMaker looks for the reason of a training, and of a processing job."""
    return {(output / name).read_text(encoding="utf-8") for name in ("failure", "message")}


@pytest.mark.parametrize(
    ("pip", "expected"),
    [
        (
            "echo 'WARNING: Retrying' >&2; echo 'ERROR: No versions' >&2\n"
            "printf 'ERROR: No \303\251 a==1\\n' >&2; exit 1",
            "No  a==1",
        ),
        ("exit 5", "pip ended with exit code 5."),
        (f"echo 'ERROR: {'x' * 2_000}' >&2; exit 1", "x" * (1_024 - 35)),
    ],
)
def test_a_failed_installation_is_the_reason_of_the_failure(
    run_with: tuple[Path, dict[str, str]], tmp_path: Path, pip: str, expected: str
) -> None:
    code, env = run_with
    (code.parent / "pip").write_text(f"#!/bin/sh\n{pip}\n", encoding="utf-8")
    env["SAGEMAKER_BASE_DIR"] = str(tmp_path / "ml")
    done = subprocess.run(
        entrypoint(AwsConfig(), str(code)), env=env, check=False, capture_output=True, text=True
    )
    assert done.returncode == DependencyError.exit_code
    (reason,) = reasons(tmp_path / "ml" / "output")
    assert reason.startswith(f"Basketwise cannot be installed: {expected}")
    assert len(reason) <= 1_024
    if len(reason) < 1_024:
        assert "a package index with all of requirements.txt" in reason
    # What pip has said itself is in the log.
    assert ("WARNING: Retrying" in done.stderr) == ("Retrying" in pip)
    assert not Path(env["LOG"]).exists()


def test_pips_own_words_are_the_reason(
    run_with: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    code, env = run_with
    (code.parent / "pip").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pip "$@"\n')
    pin = f"no-such-library==1 --hash=sha256:{'0' * 64}\n"
    (code / "requirements.txt").write_text(pin, encoding="utf-8")
    env |= {"SAGEMAKER_BASE_DIR": str(tmp_path), "PIP_NO_INDEX": "1", "HOME": str(tmp_path)}
    done = subprocess.run(entrypoint(AwsConfig(), str(code)), env=env, check=False)
    assert done.returncode == DependencyError.exit_code
    (reason,) = reasons(tmp_path / "output")
    assert reason.splitlines()[0] == (
        "Basketwise cannot be installed: No matching distribution found for no-such-library==1"
    )


def stopped_in(env: dict[str, str], name: str, code: Path) -> str:
    """Make a command of the script wait to be stopped; returns what shows that it does."""
    begun = f"{env['LOG']}.{name}"
    (code.parent / name).write_text(f'#!/bin/sh\ntouch "{begun}"\nexec sleep 60\n')
    return begun


@pytest.mark.parametrize("name", ["pip", "python"])
def test_a_job_is_stopped_whatever_it_is_doing(
    run_with: tuple[Path, dict[str, str]], name: str
) -> None:
    code, env = run_with
    begun = stopped_in(env, name, code)
    job = subprocess.Popen(entrypoint(AwsConfig(), str(code)), env=env, start_new_session=True)
    try:
        while not Path(begun).exists():
            time.sleep(0.01)
        job.send_signal(signal.SIGTERM)
        assert job.wait(30) == STOPPED
    finally:
        with suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)


@pytest.mark.skipif(not may_mount(), reason=NOT_ALLOWED)
@pytest.mark.parametrize("name", ["pip", "python"])
def test_so_is_the_first_process_of_a_container(
    run_with: tuple[Path, dict[str, str]], tmp_path: Path, name: str
) -> None:
    code, env = run_with
    begun = stopped_in(env, name, code)
    command = entrypoint(AwsConfig(), str(code))
    with first_process(command, env, tmp_path / "output") as job:
        while not Path(begun).exists():
            assert job.running()
            time.sleep(0.01)
        assert job.terminate() == STOPPED


def test_pip_says_nothing_of_the_libraries_that_the_image_pins(
    run_with: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """AWS's toolkit pins its own, which stay as they are: pip would call that an error."""
    code, env = run_with
    (code.parent / "pip").write_text(f'#!/bin/sh\nexec {sys.executable} -m pip "$@"\n')
    toolkit = tmp_path / "image" / "toolkit-1.dist-info"
    toolkit.mkdir(parents=True)
    (toolkit / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: toolkit\nVersion: 1\nRequires-Dist: firstlib==2\n"
    )
    for wheel in code.glob("*.whl"):
        wheel.unlink()
    with offered(tmp_path) as index:
        env |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        env |= {"PYTHONPATH": str(tmp_path / "image"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        (code / "requirements.txt").write_text(index.lock, encoding="utf-8")
        write_library(code, "basketwise")
        quiet, loud = (
            subprocess.run(command, env=env, check=True, capture_output=True, text=True)
            for command in (
                entrypoint(AwsConfig(), str(code)),
                [*(sys.executable, "-m", "pip", "install", "-q", "--target"),
                 *(str(tmp_path / "loud"), "firstlib")],
            )
        )  # fmt: skip
    assert "ERROR" not in quiet.stderr
    assert "ERROR" in loud.stderr
    assert "toolkit 1 requires firstlib==2" in loud.stderr


def test_own_image_has_it_all_installed() -> None:
    own = AwsConfig(image="own", image_uri="own:1")
    assert entrypoint(own, "/code") == ["python", "-m", "basketwise.aws.container"]


def test_defaults_need_no_environment() -> None:
    assert environment(Config()) == {}


def test_settings_arrive_as_they_were_set() -> None:
    config = Config(
        data=DataConfig(labels={**Config().data.labels, "la": "High", "a b": "Low"}),
        etl=EtlConfig(outliers="drop", outlier_quantile=0.5),
        training=TrainingConfig(
            models=("logistic", "xgboost"),
            xgboost={**Config().training.xgboost, "max_depth": 3, "booster": "dart"},
        ),
        evaluation=EvaluationConfig(slices=()),
        business=BusinessConfig(currency="€", cost_matrix=[[1.0, 0, 0], [0, 2, 0], [0, 0, 3]]),
    )
    variables = environment(config)
    assert variables["BASKETWISE_TRAINING__XGBOOST"] == '{"max_depth" = 3, "booster" = "dart"}'
    assert variables["BASKETWISE_ETL__OUTLIERS"] == '"drop"'
    assert load_config("/dev/null", variables) == config


def test_jobs_do_not_receive_the_registry() -> None:
    config = Config(registry=RegistryConfig(uri="https://ann:secret@models.example"))
    assert environment(config) == {}
    local = {"aws", "registry", "deployment"}
    assert set(SECTIONS) == set(Config.model_fields) - local


def test_a_product_file_of_this_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cannot read the product file 'items\.csv'") as refused:
        environment(Config(data=DataConfig(products="items.csv")))
    assert "basketwise run" in refused.value.hint


def test_a_value_too_long_is_refused_before_the_job_is() -> None:
    labels = {f"LABEL_{number}": "Low" for number in range(30)}
    config = Config(data=DataConfig.model_validate({"labels": labels}))
    with pytest.raises(ConfigError, match=r"BASKETWISE_DATA__LABELS is .* characters long"):
        environment(config)
