"""A version as a model of MLflow's: loaded, scored and served by MLflow's own tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import mlflow
import pandas as pd
import pytest
import yaml  # type: ignore[import-untyped]

from basketwise.config import RegistryConfig
from basketwise.model import load_model_archive
from basketwise.registry.mlflow.pyfunc import LINES, write_model
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import ApprovalState
from basketwise.registry.submission import submission
from tests.evaluation.running import Evaluated
from tests.mlflow_server import free_port, running_server

with warnings.catch_warnings():
    # MLflow warns of type hints of its own.
    warnings.simplefilter("ignore")
    import mlflow.pyfunc

GROUP = RegistryConfig().group
CHAMPION = f"models:/{GROUP}@champion"
COLUMNS = ["basket_id", "predicted_sensitivity", "p_low", "p_medium", "p_high"]


@pytest.fixture(scope="module")
def model(evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flavour") / "model"
    write_model(folder, evaluated.archive)
    return folder


@pytest.fixture
def tracking() -> Iterator[None]:
    """Leave MLflow's own setting as it was."""
    yield
    mlflow.set_tracking_uri("")


@pytest.fixture
def lines() -> pd.DataFrame:
    return pd.DataFrame(LINES)


def test_mlflow_loads_the_folder_and_scores_a_frame(model: Path, lines: pd.DataFrame) -> None:
    scored = mlflow.pyfunc.load_model(str(model)).predict(lines)
    assert list(scored) == COLUMNS
    assert scored["basket_id"].astype(str).tolist() == ["994100100000001", "994100100000002"]
    assert scored[COLUMNS[2:]].sum(axis=1).round(9).eq(1).all()


def test_signature_and_example_are_mlflows(model: Path) -> None:
    loaded = mlflow.models.Model.load(str(model))
    assert loaded.signature is not None
    names = loaded.signature.inputs.input_names()
    assert names[:4] == ["BASKET_ID", "PROD_CODE", "SPEND", "QUANTITY"]
    assert loaded.signature.inputs.required_input_names() == names[:4]
    assert loaded.signature.outputs.input_names() == COLUMNS
    example = loaded.load_input_example(str(model))
    assert example is not None
    assert list(example) == list(LINES)


def test_nothing_in_it_is_unpickled(model: Path) -> None:
    flavors = yaml.safe_load((model / "MLmodel").read_text())["flavors"]
    assert list(flavors) == ["python_function"]
    assert flavors["python_function"]["loader_module"] == "basketwise.registry.mlflow.pyfunc"
    assert {"model.pkl", "python_model.pkl"}.isdisjoint(path.name for path in model.iterdir())


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.usefixtures("tracking")
def test_the_champion_is_loaded_by_its_alias(
    evaluated: Evaluated, lines: pd.DataFrame, tmp_path: Path, embedded: bool
) -> None:
    folder = tmp_path / "registry"
    given = submission("run-7", evaluated.folder, evaluated.report)
    if embedded:
        registry = open_registry(RegistryConfig(), folder)
        registry.register(given, who="ann")
        registry.set_state("1", ApprovalState.APPROVED, who="ann", why="good")
    database = folder / "registry.db" if embedded else None
    with running_server(folder, database=database) as server:
        if not embedded:
            registry = open_registry(RegistryConfig(uri=server.uri), folder)
            registry.register(given, who="ann")
            registry.set_state("1", ApprovalState.APPROVED, who="ann", why="good")
            fetched = registry.fetch("1", tmp_path / "out")
            assert fetched.read_bytes() == evaluated.archive.read_bytes()
        mlflow.set_tracking_uri(server.uri)
        loaded = mlflow.pyfunc.load_model(CHAMPION)
    assert list(loaded.predict(lines)) == COLUMNS


@pytest.mark.usefixtures("tracking")
def test_an_embedded_registry_needs_no_server(
    evaluated: Evaluated, lines: pd.DataFrame, tmp_path: Path
) -> None:
    registry = open_registry(RegistryConfig(), tmp_path / "registry")
    registry.register(submission("run-7", evaluated.folder, evaluated.report), who="ann")
    registry.set_state("1", ApprovalState.APPROVED, who="ann", why="good")
    # It may be moved as a whole.
    moved = (tmp_path / "registry").rename(tmp_path / "moved registry")
    mlflow.set_tracking_uri(f"sqlite:///{(moved / 'registry.db').as_posix()}")
    whole = lines.assign(QUANTITY=lines["QUANTITY"].astype("int64"))
    scores = mlflow.pyfunc.load_model(CHAMPION).predict(whole)
    assert list(scores) == COLUMNS
    pd.testing.assert_frame_equal(scores, load_model_archive(evaluated.archive).predict(lines))


def test_mlflow_serves_it(model: Path, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "serve.log"
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"),
        *("--model-uri", str(model), "--host", "127.0.0.1", "--port", str(port)),
    ]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=output, stderr=output
        )
    try:
        body = (model / "serving_input_example.json").read_bytes()
        answer = _answer(process, f"http://127.0.0.1:{port}", body, log)
    finally:
        process.terminate()
        process.wait(20)
    assert [list(row) for row in answer["predictions"]] == [COLUMNS, COLUMNS]


def _answer(
    process: subprocess.Popen[bytes], uri: str, body: bytes, log: Path
) -> dict[str, list[dict[str, object]]]:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with suppress(URLError, OSError), urlopen(f"{uri}/ping", timeout=2):  # noqa: S310
            break
        time.sleep(0.2)
    headers = {"Content-Type": "application/json"}
    request = Request(f"{uri}/invocations", body, headers)  # noqa: S310
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310
            found: dict[str, list[dict[str, object]]] = json.load(answer)
            return found
    except OSError as error:
        raise AssertionError(log.read_text()) from error
