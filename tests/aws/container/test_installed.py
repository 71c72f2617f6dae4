"""The wheel as a job gets it: installed by pip, with the libraries of the lock and no others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from basketwise.artifact.wheel import write_wheel
from basketwise.files import ARCHIVE
from tests.etl.running import Run

ONLY_THE_LOCK = """
import importlib.metadata, re, sys
from importlib.resources import files

def plain(name):
    return re.sub("[-_.]+", "-", name).lower()

lock = (files("basketwise.aws.container") / "requirements.lock").read_text()
locked = {plain(name) for name in re.findall("^([A-Za-z0-9_.-]+)==", lock, re.M)}
known = importlib.metadata.packages_distributions()

class OnlyTheLock:
    def find_spec(self, name, path=None, target=None):
        owners = {plain(owner) for owner in known.get(name, [])}
        if owners - {"basketwise"} and not owners & locked:
            raise ModuleNotFoundError(f"{name} is not in the lock", name=name)

sys.meta_path.insert(0, OnlyTheLock())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has put the wheel; beside it what Python imports at its start."""
    folder = tmp_path_factory.mktemp("installed")
    target = folder / "site"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-index", "--no-deps", "--no-compile", "--target", str(target)),
            str(write_wheel(folder, "0")),
        ],
        check=True,
        capture_output=True,
    )
    (target / "sitecustomize.py").write_text(ONLY_THE_LOCK)
    return target


def run(installed: Path, base: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={
            **os.environ,
            "PYTHONPATH": str(installed),
            "SAGEMAKER_BASE_DIR": str(base),
            "BASKETWISE_TRAINING__XGBOOST": "{n_estimators = 10}",
            "BASKETWISE_EVALUATION__RESAMPLES": "100",
            "BASKETWISE_EVALUATION__IMPORTANCE_BASKETS": "50",
        },
        cwd=base,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_pip_has_installed_is_what_runs(installed: Path, base: Path) -> None:
    script = "import basketwise; print(basketwise.__file__)"
    result = run(installed, base, "-c", script).stdout.strip()
    assert result == str(installed / "basketwise" / "__init__.py")
    refused = run(installed, base, "-c", "import pytest")
    assert "pytest is not in the lock" in refused.stderr


def test_the_stages_need_only_libraries_in_the_lock(
    installed: Path, base: Path, sample: Path, sample_run: Run
) -> None:
    container = ("-m", "basketwise.aws.container")
    done = run(installed, base, *container, "processing", "--input-path", str(sample))
    assert done.returncode == 0, done.stderr
    gold = base / "processing" / "output" / "gold"
    for channel in ("train", "test"):
        shutil.copytree(gold, base / "input" / "data" / channel)
    done = run(installed, base, *container, "train", "--model-type", "xgboost")
    assert done.returncode == 0, done.stderr
    paths = ("--gold-path", str(gold), "--model-path", str(base / "model"))
    done = run(installed, base, *container, "evaluate", *paths)
    assert done.returncode == 0, done.stderr
    assert (base / "processing" / "output" / ARCHIVE).is_file()
    done = run(installed, base, "-c", "import basketwise.aws.container.serving")
    assert done.returncode == 0, done.stderr


def test_a_missing_command_lists_the_commands(installed: Path, base: Path) -> None:
    done = run(installed, base, "-m", "basketwise.aws.container")
    assert done.returncode == 2
    assert "Choose from processing, train, evaluate, serve" in done.stderr
