from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from basketwise.artifact.archive import unpack
from basketwise.artifact.bundle import pins, write_code
from tests.evaluation.running import Evaluated

IN_AWS_IMAGE = """
import importlib.metadata, json, pathlib, re, sys
model_dir, code = map(pathlib.Path, sys.argv[1:])
pins = {line.partition("==")[0] for line in (code / "requirements.txt").read_text().split()}
known = importlib.metadata.packages_distributions()

class OnlyWhatIsRequired:
    def find_spec(self, name, path=None, target=None):
        owners = {re.sub("[-_.]+", "-", owner).lower() for owner in known.get(name, [])}
        if owners - {"basketwise"} and not owners & pins:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, OnlyWhatIsRequired())
# Basketwise is not installed there.
sys.path = [path for path in sys.path if not path.endswith("/src")]
sys.path.insert(0, str(code))
import inference
model = inference.model_fn(str(model_dir))
body = json.dumps({"baskets": [{"basket_id": 7, "lines": [
    {"PROD_CODE": "PRD1", "SPEND": 1.5, "QUANTITY": 1}]}]})
request = inference.input_fn(body, "application/json")
text, kind = inference.output_fn(inference.predict_fn(request, model), "application/json")
import basketwise
print(json.dumps({"answer": json.loads(text), "kind": kind, "file": basketwise.__file__}))
"""


def test_the_packed_code_serves_with_what_it_requires_and_nothing_else(
    evaluated: Evaluated, tmp_path: Path
) -> None:
    model, code = tmp_path / "model", tmp_path / "elsewhere"
    model.mkdir()
    unpack(evaluated.archive, model)
    # AWS's image takes the folder to another place.
    (model / "code").rename(code)
    done = subprocess.run(
        [sys.executable, "-c", IN_AWS_IMAGE, str(model), str(code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    response = json.loads(done.stdout)
    assert response["kind"] == "application/json"
    (prediction,) = response["answer"]["predictions"]
    assert prediction["basket_id"] == 7
    assert response["file"].startswith(str(next(code.glob("basketwise-*.whl"))))


def test_requirements_are_the_versions_that_made_the_model(tmp_path: Path) -> None:
    write_code(tmp_path)
    lines = (tmp_path / "requirements.txt").read_text().splitlines()
    assert f"scikit-learn=={version('scikit-learn')}" in lines
    assert f"polars=={version('polars')}" in lines
    assert lines == sorted(lines, key=lambda line: line.partition("==")[0])
    assert not any(line.startswith(("mlflow", "boto3", "matplotlib")) for line in lines)
    assert {path.suffix for path in tmp_path.iterdir()} == {".py", ".txt", ".whl"}


def test_what_is_not_installed_is_left_out() -> None:
    assert pins(("no-such-distribution", "threadpoolctl")) == [
        f"threadpoolctl=={version('threadpoolctl')}"
    ]
