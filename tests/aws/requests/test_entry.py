import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from basketwise.aws.requests.entry import RUN, SECTIONS, entrypoint, environment, train_script
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
from basketwise.errors import ConfigError
from basketwise.settings import load_config

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
    (code / "train.sh").write_text(train_script(str(code)), encoding="utf-8")
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


def test_the_script_does_the_same_and_leaves_the_hyperparameters_to_the_container(
    run_with: tuple[Path, dict[str, str]],
) -> None:
    code, env = run_with
    subprocess.run(["/bin/sh", code / "train.sh", "--model-type", "all"], env=env, check=True)
    lines = Path(env["LOG"]).read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in lines] == ["pip", "pip", "python"]
    assert lines[-1] == "python <-m> <basketwise.aws.container> <train>"


@pytest.mark.parametrize("script", [False, True])
def test_nothing_runs_when_the_installation_fails(
    run_with: tuple[Path, dict[str, str]], script: bool
) -> None:
    code, env = run_with
    (code.parent / "pip").write_text("#!/bin/sh\nexit 5\n", encoding="utf-8")
    command = ["/bin/sh", str(code / "train.sh")] if script else entrypoint(AwsConfig(), str(code))
    assert subprocess.run(command, env=env, check=False).returncode == 5
    assert not Path(env["LOG"]).exists()


def test_a_job_that_is_stopped_does_not_wait_for_the_installation(
    run_with: tuple[Path, dict[str, str]],
) -> None:
    code, env = run_with
    (code.parent / "pip").write_text('#!/bin/sh\ntouch "$LOG.pip"\nexec sleep 60\n')
    job = subprocess.Popen(entrypoint(AwsConfig(), str(code)), env=env, start_new_session=True)
    try:
        while not Path(f"{env['LOG']}.pip").exists():
            time.sleep(0.01)
        job.send_signal(signal.SIGTERM)
        assert job.wait(30) == 128 + signal.SIGTERM
    finally:
        os.killpg(job.pid, signal.SIGKILL)


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
