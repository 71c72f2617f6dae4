"""The same input, settings and seed give the same bytes, on one core or on all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from basketwise.etl.gold.cohorts import COHORTS_FILE
from basketwise.etl.gold.tables import INDEX_FILE, METADATA_FILE, TEST_FILE, TRAIN_FILE
from basketwise.files import CALIBRATION_FILE, METRICS_FILE, MODEL, OOF_FILE, TEST_PREDICTIONS_FILE
from tests.cli.calling import clean_environment

SETTINGS = (
    "--no-register",
    *("--set", "training.folds=3"),
    *("--set", "training.random_forest.n_estimators=6"),
    *("--set", "training.xgboost.n_estimators=6"),
    *("--set", "training.checkpoint_rounds=4"),
    *("--set", "training.calibration=isotonic"),
    *("--set", "evaluation.resamples=200"),
    *("--set", "evaluation.importance_baskets=100"),
    *("--set", "evaluation.importance_repeats=1"),
)
OUTPUTS = (
    *(f"gold/{name}" for name in (TRAIN_FILE, TEST_FILE, COHORTS_FILE, INDEX_FILE, METADATA_FILE)),
    *(
        f"artifacts/*/{name}"
        for name in (
            MODEL,
            "model.joblib",
            OOF_FILE,
            TEST_PREDICTIONS_FILE,
            CALIBRATION_FILE,
            METRICS_FILE,
        )
    ),
)

ON_CORES = """
import os, sys
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(sys.argv.pop(1))]))
from basketwise.cli import main
from basketwise.report import canvas
# The pictures have a test of their own.
canvas.save = lambda figure, path: path.write_bytes(b"a picture")
main()
"""


def outputs(sample: Path, workspace: Path, cores: int) -> dict[str, bytes]:
    environment = clean_environment() | {"SOURCE_DATE_EPOCH": "1767225600"}
    # Which the tests may run with.
    environment.pop("POLARS_MAX_THREADS", None)
    subprocess.run(
        [
            *(sys.executable, "-c", ON_CORES, str(cores)),
            *("run", "--data", str(sample), "--workspace", str(workspace), *SETTINGS),
        ],
        check=True,
        capture_output=True,
        env=environment,
        timeout=200,
    )
    results = {}
    for pattern in OUTPUTS:
        (path,) = workspace.glob(pattern)
        results[path.name] = path.read_bytes()
    return results


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_one_core_and_all_give_the_same_bytes(sample: Path, tmp_path: Path) -> None:
    single_core = outputs(sample, tmp_path / "one", 1)
    all_cores = outputs(sample, tmp_path / "all", os.cpu_count() or 1)

    assert len(single_core) == len(OUTPUTS)
    assert [name for name, content in single_core.items() if content != all_cores[name]] == []
