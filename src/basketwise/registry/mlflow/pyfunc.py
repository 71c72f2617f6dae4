"""A version as MLflow's ``python_function`` model: what MLflow's own tools load, score and serve.

The folder holds ``model.tar.gz`` and documents about it. Loading goes through Basketwise's own
loader, which unpickles nothing; so Basketwise must be installed where the model is loaded.
"""

from __future__ import annotations

import json
import platform
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from basketwise.artifact.archive import read_json
from basketwise.artifact.bundle import pins
from basketwise.errors import InputError
from basketwise.etl.tables import METADATA_FILE
from basketwise.files import ARCHIVE
from basketwise.schema import BASKET_ID, KEY, PREDICTED, PROBABILITIES

if TYPE_CHECKING:
    from basketwise.model import Model

MLMODEL = "MLmodel"
EXAMPLE = "input_example.json"
SERVED_EXAMPLE = "serving_input_example.json"
REQUIREMENTS = "requirements.txt"
ENVIRONMENT = "python_env.yaml"

INPUTS = {
    BASKET_ID: ("any", True),
    "PROD_CODE": ("any", True),
    "SPEND": ("any", True),
    "QUANTITY": ("any", True),
    **{f"PROD_CODE_{level}": ("any", False) for level in (10, 20, 30, 40)},
    **{f"SHOP_{name}": ("any", False) for name in ("WEEK", "DATE", "WEEKDAY", "HOUR")},
    **{f"STORE_{name}": ("any", False) for name in ("FORMAT", "REGION", "CODE")},
    "CUST_CODE": ("any", False),
}
"""MLflow's type of each column of raw lines, and whether it must be there. Whole numbers, fractions
and text are all taken, as everywhere; MLflow's ``double`` would refuse whole numbers."""

OUTPUTS = {
    KEY: ("any", True),
    PREDICTED: ("string", True),
    **dict.fromkeys(PROBABILITIES, ("double", True)),
}

LINES: dict[str, list[Any]] = {
    BASKET_ID: ["994100100000001", "994100100000001", "994100100000002"],
    "PROD_CODE": ["PRD0900001", "PRD0900002", "PRD0900001"],
    "SPEND": [1.25, 3.1, 2.5],
    "QUANTITY": [1.0, 2.0, 2.0],
    "SHOP_WEEK": [200607, 200607, 200607],
    "SHOP_WEEKDAY": [2, 2, 6],
    "SHOP_HOUR": [10, 10, 17],
    "STORE_FORMAT": ["LS", "LS", "MS"],
    "STORE_REGION": ["E01", "E01", "W02"],
}
"""Three lines of two baskets: the input example."""


class Scoring:
    """What ``mlflow.pyfunc`` calls."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def predict(self, lines: Any, params: dict[str, Any] | None = None) -> Any:
        """Return one row per basket; see :meth:`basketwise.model.Model.predict`."""
        return self._model.predict(lines)


def _load_pyfunc(path: str) -> Scoring:
    """Load the archive at ``path``; MLflow finds this function by its name."""
    from basketwise.model import load_model_archive

    return Scoring(load_model_archive(Path(path)))


def write_model(folder: Path, archive: Path) -> None:
    """Write an MLflow model around a ``model.tar.gz`` to a new folder."""
    import yaml  # type: ignore[import-untyped]
    from mlflow import __version__ as mlflow_version

    folder.mkdir(parents=True)
    shutil.copy2(archive, folder / ARCHIVE)
    own = _own_names(archive)
    rows = [list(row) for row in zip(*LINES.values(), strict=True)]
    example = {"columns": [own.get(name, name) for name in LINES], "data": rows}
    inputs = {own.get(name, name): column for name, column in INPUTS.items()}
    python, requirements = platform.python_version(), pins()
    documents: dict[str, Any] = {
        MLMODEL: {
            "flavors": {
                "python_function": {
                    "loader_module": __name__,
                    "data": ARCHIVE,
                    "env": {"virtualenv": ENVIRONMENT},
                    "python_version": python,
                }
            },
            "mlflow_version": mlflow_version,
            "model_uuid": uuid4().hex,
            "utc_time_created": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}",
            "signature": {"inputs": _schema(inputs), "outputs": _schema(OUTPUTS), "params": None},
            "saved_input_example_info": {
                "artifact_path": EXAMPLE,
                "pandas_orient": "split",
                "serving_input_path": SERVED_EXAMPLE,
                "type": "dataframe",
            },
        },
        ENVIRONMENT: {
            "python": python,
            "build_dependencies": ["pip"],
            "dependencies": [f"-r {REQUIREMENTS}"],
        },
    }
    for name, document in documents.items():
        (folder / name).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    (folder / EXAMPLE).write_text(json.dumps(example), encoding="utf-8")
    served = json.dumps({"dataframe_split": example}, indent=1)
    (folder / SERVED_EXAMPLE).write_text(served, encoding="utf-8")
    (folder / REQUIREMENTS).write_text("".join(f"{pin}\n" for pin in requirements))


def _own_names(archive: Path) -> dict[str, str]:
    """Return the retailer's names of columns by ours, as the model remembers them."""
    try:
        columns: dict[str, str] = read_json(archive, METADATA_FILE).get("columns", {})
    except InputError:
        # No model of ours: it will not be loaded either, and that will say why.
        return {}
    return columns


def _schema(columns: dict[str, tuple[str, bool]]) -> str:
    """Return columns as the JSON of one of MLflow's schemas."""
    return json.dumps(
        [
            {"type": kind, "name": name, "required": required}
            for name, (kind, required) in columns.items()
        ]
    )
