"""A version as MLflow's ``python_function`` model: what MLflow's own tools load, score and serve.

The folder holds ``model.tar.gz`` and documents about it. Loading goes through Basketwise's own
loader, which unpickles nothing; so Basketwise must be installed where the model is loaded.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from basketwise import clock
from basketwise.artifact.archive import read_json
from basketwise.artifact.bundle import pins
from basketwise.errors import InputError
from basketwise.etl.gold.tables import METADATA_FILE
from basketwise.files import ARCHIVE
from basketwise.model.example import LINES
from basketwise.schema import (
    CERTAINTY,
    COLUMN_NAMES,
    KEY,
    KNOWN_SHARE,
    LABEL,
    PREDICTED,
    PROBABILITIES,
    SPEND,
    UNIT_PRICE,
)

if TYPE_CHECKING:
    from basketwise.model.scoring import Model

CASES = (str.upper, str.lower)
MLMODEL = "MLmodel"
EXAMPLE = "input_example.json"
SERVED_EXAMPLE = "serving_input_example.json"
REQUIREMENTS = "requirements.txt"
ENVIRONMENT = "python_env.yaml"

OUTPUTS = {
    KEY: "any",
    PREDICTED: "string",
    **dict.fromkeys((*PROBABILITIES, KNOWN_SHARE), "double"),
    CERTAINTY: "string",
}
"""MLflow's type of each column of an answer."""


class Scoring:
    """What ``mlflow.pyfunc`` calls."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def predict(self, lines: Any, params: dict[str, Any] | None = None) -> Any:
        """Return one row per basket; see :meth:`basketwise.model.scoring.Model.predict`."""
        return self._model.predict(lines)


def _load_pyfunc(path: str) -> Scoring:
    """Load the archive at ``path``; MLflow finds this function by its name."""
    from basketwise.model.archive import load_model_archive

    _read_csv_as_text()
    return Scoring(load_model_archive(Path(path)))


def _read_csv_as_text() -> None:
    """Let MLflow's scoring server read what may be of any type from a CSV: as text.

    It asks the signature for a pandas type of each column, and its own type ``any`` has none: every
    CSV would be refused. Text is what Basketwise reads from a CSV too, so codes keep their zeros.
    """
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    original = Schema.pandas_types

    def pandas_types(schema: Schema) -> list[Any]:
        text = DataType.string
        columns = [ColSpec(text, c.name) if isinstance(c.type, AnyType) else c for c in schema]
        return original(Schema(columns))

    if original.__module__ != __name__:
        Schema.pandas_types = pandas_types  # type: ignore[assignment, method-assign]


def write_model(folder: Path, archive: Path, model_id: str | None = None) -> None:
    """Write an MLflow model around a ``model.tar.gz`` to a new folder.

    ``model_id`` is that of MLflow's logged model, if it is one.
    """
    import yaml  # type: ignore[import-untyped]
    from mlflow import __version__ as mlflow_version

    folder.mkdir(parents=True)
    shutil.copy2(archive, folder / ARCHIVE)
    own = _own_names(archive)
    filled = {name: values for ours, values in LINES.items() for name in own.get(ours, (ours,))}
    example = {
        "columns": list(filled),
        "data": [list(r) for r in zip(*filled.values(), strict=True)],
    }
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
            "model_id": model_id,
            "utc_time_created": f"{clock.now():%Y-%m-%d %H:%M:%S.%f}",
            "signature": {
                "inputs": _schema(dict.fromkeys(_accepted_names(own), "any"), required=False),
                "outputs": _schema(OUTPUTS, required=True),
                "params": None,
            },
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


def _own_names(archive: Path) -> dict[str, tuple[str, ...]]:
    """Return the retailer's names of columns by ours, as the model stores them.

    A basket id may be made of several columns; a unit price is given in the place of SPEND.
    """
    try:
        columns = read_json(archive, METADATA_FILE).get("rules", {}).get("columns", {})
    except InputError:
        # No model of ours: it will not be loaded either, and that will say why.
        return {}
    own = {n: (given,) if isinstance(given, str) else tuple(given) for n, given in columns.items()}
    return own | ({SPEND: own[UNIT_PRICE]} if UNIT_PRICE in own else {})


def _accepted_names(own: Mapping[str, tuple[str, ...]]) -> list[str]:
    """List how the columns of raw lines may be named, the retailer's own names first.

    MLflow matches names letter by letter, and drops columns that it does not find in the signature.
    So it lists each in upper and lower case, and none as required: that, Basketwise itself checks.
    """
    # A unit price may be given in the place of SPEND, also where the training had amounts.
    names = [*(name for name in COLUMN_NAMES if name != LABEL), UNIT_PRICE]
    first = [given for name in names for given in own.get(name, (name,))]
    return list(dict.fromkeys([*first, *(f(n) for f in CASES for n in [*first, *names])]))


def _schema(columns: Mapping[str, str], *, required: bool) -> str:
    """Return columns and their types as the JSON of one of MLflow's schemas."""
    return json.dumps(
        [{"type": kind, "name": name, "required": required} for name, kind in columns.items()]
    )
