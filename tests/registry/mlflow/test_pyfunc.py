"""A version as a model of MLflow's: loaded, scored and served by MLflow's own tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml  # type: ignore[import-untyped]
from mlflow.exceptions import MlflowException
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import Array

from basketwise.artifact.archive import pack, unpack, write_manifest
from basketwise.config import RegistryConfig
from basketwise.errors import InputError
from basketwise.files import ARCHIVE
from basketwise.model.archive import load_model_archive
from basketwise.model.example import LINES
from basketwise.registry.mlflow.pyfunc import CASES, Scoring, write_model
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import ApprovalState
from basketwise.registry.submission import submission
from basketwise.schema import COLUMN_NAMES, LABEL
from tests.evaluation.running import Evaluated
from tests.mlflow_server import free_port, running_server

with warnings.catch_warnings():
    # MLflow warns of type hints of its own.
    warnings.simplefilter("ignore")
    import mlflow.pyfunc
    from mlflow.pyfunc.scoring_server import invocations

GROUP = RegistryConfig().group
CHAMPION = f"models:/{GROUP}@champion"
SCORES = ["p_low", "p_medium", "p_high", "known_share"]
COLUMNS = ["basket_id", "predicted_sensitivity", *SCORES, "certainty"]
OWN = {"BASKET_ID": "TransactionID", "PROD_CODE": "Sku", "SPEND": "Amount", "SHOP_HOUR": "Hour"}
"""A retailer's own names of columns, by ours."""


@pytest.fixture(scope="module")
def model(evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flavour") / "model"
    write_model(folder, evaluated.archive)
    return folder


@pytest.fixture(scope="module")
def own_model(evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained on columns with names of their own."""
    root = tmp_path_factory.mktemp("own")
    folder = root / "files"
    folder.mkdir()
    unpack(evaluated.archive, folder)
    metadata = json.loads((folder / "metadata.json").read_bytes()) | {"rules": {"columns": OWN}}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    write_manifest(folder, {})
    pack(folder, root / ARCHIVE)
    write_model(root / "model", root / ARCHIVE)
    return root / "model"


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
    assert scored[COLUMNS[2:5]].sum(axis=1).round(9).eq(1).all()


def test_signature_and_example_are_mlflows(model: Path) -> None:
    loaded = mlflow.models.Model.load(str(model))
    assert loaded.signature is not None
    names = loaded.signature.inputs.input_names()
    assert names[:4] == ["BASKET_ID", "PROD_CODE", "SPEND", "QUANTITY"]
    assert loaded.signature.inputs.required_input_names() == []
    assert loaded.signature.outputs.input_names() == COLUMNS
    example = loaded.load_input_example(str(model))
    assert example is not None
    assert list(example) == list(LINES)


def test_signature_and_example_have_the_retailers_own_names(own_model: Path) -> None:
    loaded = mlflow.models.Model.load(str(own_model))
    assert loaded.signature is not None
    names = loaded.signature.inputs.input_names()
    assert names[:4] == ["TransactionID", "Sku", "Amount", "QUANTITY"]
    example = loaded.load_input_example(str(own_model))
    assert example is not None
    assert list(example) == [OWN.get(name, name) for name in LINES]
    assert list(mlflow.pyfunc.load_model(str(own_model)).predict(example)) == COLUMNS


@pytest.mark.parametrize("rename", [str, str.lower, str.upper])
@pytest.mark.parametrize("own", [OWN, {}])
def test_no_column_is_lost_however_its_name_is_written(
    own_model: Path,
    own: dict[str, str],
    rename: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Scoring, "predict", lambda _, lines, params=None: lines)
    names = [rename(own.get(name, name)) for name in COLUMN_NAMES if name != LABEL]
    given = pd.DataFrame([["1"] * len(names)], columns=names)
    received = mlflow.pyfunc.load_model(str(own_model)).predict(given)
    assert set(received) == set(given)


@pytest.mark.filterwarnings("ignore:.*never seen")
@pytest.mark.parametrize(
    "change",
    [
        {"SPEND": ["1.25", "3.1", "2.5"], "QUANTITY": ["1", "2", "2"]},
        {"SPEND": [1.25, "3.1", 2]},
        {"SPEND": [1, 3, 2], "QUANTITY": [1, 2, 2]},
        {"BASKET_ID": [994100100000001, 994100100000001, 994100100000002]},
        {"BASKET_ID": ["007", "007", "0008"], "PROD_CODE": ["01", "02", "01"]},
        {"PROD_CODE": [900001, 900002, 900001], "STORE_REGION": [1, 2, 3]},
        {"SHOP_WEEKDAY": [2.0, 2.0, None], "STORE_FORMAT": [None, None, None]},
        {"SHOP_HOUR": pd.array([10, 10, None], dtype="Int64")},
        {"STORE_FORMAT": pd.Categorical(["LS", "LS", "MS"])},
    ],
)
def test_mlflow_takes_what_basketwise_takes(
    model: Path, lines: pd.DataFrame, change: dict[str, Any]
) -> None:
    given = lines.assign(**change)
    scored = mlflow.pyfunc.load_model(str(model)).predict(given)
    expected = load_model_archive(model / ARCHIVE).predict(given)
    pd.testing.assert_frame_equal(scored, expected)


@pytest.mark.parametrize("rename", CASES)
def test_a_unit_price_may_stand_for_the_amount(
    model: Path, lines: pd.DataFrame, rename: Callable[[str], str]
) -> None:
    prices = lines["SPEND"] / lines["QUANTITY"]
    given = lines.drop(columns="SPEND").assign(UNIT_PRICE=prices).rename(columns=rename)
    scored = mlflow.pyfunc.load_model(str(model)).predict(given)
    pd.testing.assert_frame_equal(scored, load_model_archive(model / ARCHIVE).predict(lines))


def test_what_is_missing_is_said_by_basketwise(model: Path, lines: pd.DataFrame) -> None:
    loaded = mlflow.pyfunc.load_model(str(model))
    with pytest.raises(InputError, match="lacks the required column SPEND"):
        loaded.predict(lines.drop(columns="SPEND"))


def as_split(lines: pd.DataFrame) -> tuple[str, str]:
    return json.dumps({"dataframe_split": lines.to_dict(orient="split")}), "application/json"


def as_records(lines: pd.DataFrame) -> tuple[str, str]:
    return json.dumps({"dataframe_records": lines.to_dict(orient="records")}), "application/json"


def as_csv(lines: pd.DataFrame) -> tuple[str, str]:
    return lines.to_csv(index=False), "text/csv"


@pytest.mark.parametrize("own", [OWN, {}])
@pytest.mark.parametrize("body", [as_split, as_records, as_csv])
def test_mlflows_scoring_server_answers_each_format(
    own_model: Path,
    lines: pd.DataFrame,
    own: dict[str, str],
    body: Callable[[pd.DataFrame], tuple[str, str]],
) -> None:
    # Read as numbers, the ids would lose their zeros.
    given = lines.assign(BASKET_ID=["007", "007", "0008"]).rename(columns=own)
    loaded = mlflow.pyfunc.load_model(str(own_model))
    data, kind = body(given)
    schema = loaded.metadata.get_input_schema()
    answer = invocations(data, kind, loaded, schema)  # type: ignore[no-untyped-call]
    assert answer.status == 200
    scored = pd.DataFrame(json.loads(answer.response)["predictions"])
    assert scored["basket_id"].tolist() == ["0008", "007"]
    expected = load_model_archive(own_model / ARCHIVE).predict(given)
    pd.testing.assert_frame_equal(scored, expected)


def test_a_csv_for_another_model_is_read_as_before(model: Path) -> None:
    mlflow.pyfunc.load_model(str(model))
    schema = Schema([ColSpec("double", "x"), ColSpec("string", "y")])
    assert schema.pandas_types() == [np.dtype("float64"), object]
    with pytest.raises(MlflowException, match="not DataType"):
        Schema([ColSpec(Array("double"), "x")]).pandas_types()


def test_nothing_in_it_is_unpickled(model: Path) -> None:
    flavors = yaml.safe_load((model / "MLmodel").read_text())["flavors"]
    assert list(flavors) == ["python_function"]
    assert flavors["python_function"]["loader_module"] == "basketwise.registry.mlflow.pyfunc"
    assert {"model.pkl", "python_model.pkl"}.isdisjoint(path.name for path in model.iterdir())


@pytest.mark.usefixtures("tracking")
def test_the_champion_is_loaded_by_its_alias(
    evaluated: Evaluated, lines: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "registry"
    embedded = open_registry(RegistryConfig(), folder)
    embedded.register(submission("run-7", evaluated.folder, evaluated.report), who="ann")
    embedded.set_state("1", ApprovalState.APPROVED, who="ann", why="good")
    loaded = []
    # A server on that very database, to which another version is sent.
    with running_server(folder, database=folder / "registry.db") as server:
        mlflow.set_tracking_uri(server.uri)
        loaded.append(mlflow.pyfunc.load_model(CHAMPION))
        registry = open_registry(RegistryConfig(uri=server.uri), folder)
        given = submission("run-8", evaluated.folder, evaluated.report)
        assert registry.register(given, who="ann").version == "2"
        registry.set_state("2", ApprovalState.APPROVED, who="ann", why="better")
        fetched = registry.fetch("2", tmp_path / "out")
        assert fetched.read_bytes() == evaluated.archive.read_bytes()
        champion = mlflow.MlflowClient().get_model_version_by_alias(GROUP, "champion")
        assert champion.version == "2"
        loaded.append(mlflow.pyfunc.load_model(CHAMPION))
    assert [list(model.predict(lines)) for model in loaded] == [COLUMNS, COLUMNS]


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


def test_the_same_client_gets_the_same_numbers_from_every_server(
    own_model: Path, tmp_path: Path
) -> None:
    """MLflow's server, ``basketwise serve``, and what SageMaker starts in a container."""
    model, archive = own_model, str(own_model / ARCHIVE)
    table = pd.DataFrame(LINES).rename(columns=OWN).to_csv(index=False).encode()
    commands = [
        [
            *("mlflow", "models", "serve", "--env-manager", "local"),
            *("--model-uri", str(model), "--host", "127.0.0.1"),
        ],
        ["basketwise", "serve", "--model", archive],
        ["basketwise.aws.container", "serve", "--model", archive, "--host", "127.0.0.1"],
    ]
    answers = []
    for command in commands:
        log = tmp_path / f"{command[0]}.log"
        with _started(command, log) as (process, uri):
            # Over HTTP, an id of a CSV stays the text that it was.
            rows = _answer(process, uri, table, "text/csv", log)["predictions"]
            answers.append([row | {"basket_id": str(row["basket_id"])} for row in rows])
            if command[0] == "mlflow":
                body = (model / "serving_input_example.json").read_bytes()
                example = _answer(process, uri, body, "application/json", log)["predictions"]
                assert example == rows
    assert answers[0] == answers[1] == answers[2]
    assert [list(row) for row in answers[0]] == [COLUMNS, COLUMNS]


@contextmanager
def _started(command: list[str], log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    # The container takes its port from the environment.
    port = str(free_port())
    if "container" not in command[0]:
        command = [*command, "--port", port]
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",
        "SAGEMAKER_BIND_TO_PORT": port,
    }
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=log.parent,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _answer(
    process: subprocess.Popen[bytes], uri: str, body: bytes, kind: str, log: Path
) -> dict[str, list[dict[str, object]]]:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with suppress(URLError, OSError), urlopen(f"{uri}/ping", timeout=2):  # noqa: S310
            break
        time.sleep(0.2)
    request = Request(f"{uri}/invocations", body, {"Content-Type": kind})  # noqa: S310
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310
            document: dict[str, list[dict[str, object]]] = json.load(answer)
            return document
    except OSError as error:
        raise AssertionError(log.read_text()) from error
