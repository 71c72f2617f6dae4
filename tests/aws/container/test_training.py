from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from basketwise.aws.container.training import METRICS, main
from basketwise.errors import ConfigError, InputError
from basketwise.files import CALIBRATION_FILE, MODEL, OOF_FILE, RECORD_FILE, TEST_PREDICTIONS_FILE
from basketwise.training.persistence import load_model
from basketwise.training.record import read_record
from tests.etl.running import Run
from tests.warm import WarmProcess

FEW_TREES = "{n_estimators = 30, max_depth = 4}"
TOOLKIT = Path(sys.executable).with_name("train")
SCRIPT = """
import sys
from basketwise.aws.container.training import main
main(sys.argv[1:])
"""


@pytest.fixture
def channels(base: Path, sample_run: Run) -> Path:
    """A training job's folders, as SageMaker lays them out."""
    for name in ("train", "test"):
        shutil.copytree(sample_run.gold, base / "input" / "data" / name)
    (base / "input" / "config").mkdir(parents=True)
    return base


def hyperparameters(base: Path, **values: str) -> None:
    named = {name.replace("_", "-"): value for name, value in values.items()}
    path = base / "input" / "config" / "hyperparameters.json"
    path.write_text(json.dumps(named))


def metrics(log: str) -> dict[str, float]:
    """Find metrics in a log as SageMaker does."""
    return {
        name: float(result[-1]) for name, by in METRICS.items() if (result := re.findall(by, log))
    }


def test_a_job_leaves_everything_of_a_training_in_the_model_folder(
    channels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hyperparameters(channels, model_type="decision_tree", random_state="7", cv_folds="5")
    main([])
    outputs = {path.name for path in (channels / "model").iterdir()}
    assert outputs == {
        *(
            "model.skops",
            "novelty.skops",
            "model.joblib",
            "calibration.json",
            "training.json",
            "gold.json",
        ),
        *("oof_predictions.parquet", "test_predictions.parquet"),
    }
    assert read_record(channels / "model").winner == "decision_tree"
    stored = channels / "output" / "data" / RECORD_FILE
    assert stored.read_bytes() == (channels / "model" / RECORD_FILE).read_bytes()
    result = metrics(capsys.readouterr().out)
    assert result.keys() == {"accuracy", "f1"}
    assert all(0.3 < value <= 1 for value in result.values())
    assert not (channels / "checkpoints").exists()


def test_the_script_form_wins_over_hyperparameters_and_variables(
    channels: Path, sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hyperparameters(channels, model_type="random_forest")
    for name in ("SM_MODEL_DIR", "SM_CHANNEL_TRAIN", "SM_CHANNEL_TEST"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    gold, model = str(sample_run.gold), tmp_path / "model"
    main(
        [
            *("--model-dir", str(model), "--train", gold, "--test", gold),
            *("--model-type", "logistic", "--random-state", "1", "--test-size", "0.2"),
        ]
    )
    assert read_record(model).winner == "logistic"
    assert not (tmp_path / "elsewhere").exists()


def test_sagemakers_variables_are_obeyed(
    base: Path, sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test = tmp_path / "a", tmp_path / "b"
    shutil.copytree(sample_run.gold, train)
    (train / "test_features.parquet").unlink()
    shutil.copytree(sample_run.gold, test)
    for name, folder in (
        ("SM_MODEL_DIR", tmp_path / "model"),
        ("SM_CHANNEL_TRAIN", train),
        ("SM_CHANNEL_TEST", test),
        ("SM_OUTPUT_DATA_DIR", tmp_path / "out"),
    ):
        monkeypatch.setenv(name, str(folder))
    main(["--model-type", "decision_tree"])
    assert (tmp_path / "model" / MODEL).is_file()
    assert (tmp_path / "out" / RECORD_FILE).is_file()
    assert list(base.iterdir()) == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"model_type": "forest"}, "model-type is 'forest'"),
        ({"depth": "3"}, "'depth' is not a hyperparameter"),
        ({"random_state": "-1"}, "training.random_state"),
        ({"cv_folds": "many"}, "training.folds"),
        ({"BASKETWISE_TRAINING__FOLDS": "1"}, "'BASKETWISE-TRAINING--FOLDS' is not a hyperparam"),
    ],
)
def test_wrong_hyperparameters_are_refused(
    channels: Path, parameters: dict[str, str], expected: str
) -> None:
    hyperparameters(channels, **parameters)
    with pytest.raises(ConfigError) as caught:
        main([])
    assert expected in caught.value.headline
    assert caught.value.hint


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_broken_hyperparameters_are_refused(channels: Path, text: str) -> None:
    (channels / "input" / "config" / "hyperparameters.json").write_text(text)
    with pytest.raises(ConfigError, match="cannot be read"):
        main([])


def test_settings_decided_by_the_gold_files_cannot_be_overridden(channels: Path) -> None:
    with pytest.raises(InputError, match=r"split with test-size 0\.2, .* says 0\.3"):
        main(["--test-size", "0.3"])
    with pytest.raises(InputError, match="contain 5 folds"):
        main(["--cv-folds", "4"])


def test_channels_that_do_not_fit_are_refused(channels: Path) -> None:
    metadata = channels / "input" / "data" / "test" / "metadata.json"
    metadata.write_text(metadata.read_text() + " ")
    with pytest.raises(InputError, match=r"differ in metadata\.json"):
        main([])
    shutil.rmtree(metadata.parent)
    with pytest.raises(InputError, match="channel 'test' is missing at"):
        main([])


def test_settings_come_from_the_environment(
    channels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASKETWISE_TRAINING__CALIBRATION", '"isotonic"')
    monkeypatch.setenv("BASKETWISE_TRAINING__DECISION_TREE", '{"max_depth" = 3}')
    monkeypatch.setenv("BASKETWISE_TRAINING__MODELS", '["logistic"]')
    hyperparameters(channels, model_type="decision_tree", random_state="5")
    main([])
    stored = json.loads((channels / "model" / CALIBRATION_FILE).read_text())
    assert stored["method"] == "isotonic"
    model = load_model(channels / "model" / MODEL)
    assert model.max_depth == 3  # type: ignore[attr-defined]
    assert model.min_samples_leaf == 10  # type: ignore[attr-defined]
    assert model.random_state == 5  # type: ignore[attr-defined]


def environment(base: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SAGEMAKER_BASE_DIR": str(base),
        "BASKETWISE_TRAINING__XGBOOST": FEW_TREES,
        "BASKETWISE_TRAINING__CHECKPOINT_ROUNDS": "5",
    }


def test_awss_toolkit_runs_it(channels: Path) -> None:
    code, config = channels / "code", channels / "input" / "config"
    code.mkdir()
    (code / "train.py").write_text(SCRIPT)
    settings = {"sagemaker_program": "train.py", "sagemaker_submit_directory": str(code)}
    settings |= {"model-type": "decision_tree", "random-state": "42", "cv-folds": "5"}
    quoted = {key: json.dumps(settings[key]) for key in settings}
    (config / "hyperparameters.json").write_text(json.dumps(quoted))
    data = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"}
    (config / "inputdataconfig.json").write_text(json.dumps(dict.fromkeys(["train", "test"], data)))
    host = {"current_host": "localhost", "hosts": ["localhost"]}
    (config / "resourceconfig.json").write_text(json.dumps(host))
    done = subprocess.run(
        [TOOLKIT], env=environment(channels), capture_output=True, text=True, check=False
    )
    failure = channels / "output" / "failure"
    assert done.returncode == 0, failure.read_text() if failure.exists() else done.stderr
    assert (channels / "output" / "success").is_file()
    assert metrics(done.stdout + done.stderr).keys() == {"accuracy", "f1"}
    assert read_record(channels / "model").winner == "decision_tree"


def start(base: Path) -> WarmProcess:
    out, err = base / "out", base / "err"
    out.unlink(missing_ok=True)
    return WarmProcess(
        "basketwise.aws.container",
        ["train", "--model-type", "xgboost"],
        environment=environment(base),
        cwd=base,
        stdout=out,
        stderr=err,
    )


def test_an_interrupted_spot_job_ends_with_the_same_model(channels: Path) -> None:
    folder, outputs = channels / "checkpoints", []
    for stops in (0, 1):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(channels / "model", ignore_errors=True)
        folder.mkdir()
        if stops:
            process = start(channels)
            while not list(folder.glob("*.checkpoint")) and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            process.communicate(timeout=30)
            assert time.monotonic() - told < 10
            assert process.returncode == 128 + signal.SIGTERM
            assert not (channels / "model" / MODEL).exists()
        assert bool(list(folder.glob("*.checkpoint"))) == bool(stops)
        process = start(channels)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert metrics(out).keys() == {"accuracy", "f1"}
        model = channels / "model"
        results = (MODEL, OOF_FILE, TEST_PREDICTIONS_FILE, CALIBRATION_FILE)
        outputs.append([(model / name).read_bytes() for name in results])
    assert outputs[0] == outputs[1]
