from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from basketwise.training.persistence import dump_model
from basketwise.training.skops_file import SCHEMA
from basketwise.training.trees import read_tree
from tests.etl.running import Run
from tests.evaluation.running import Evaluated, tree_archive


def examples(seed: int, rows: int = 300) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 9, (rows, 4)).astype(np.float32) / 8
    return X, (rng.random(rows) * 3).astype(np.int8)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_a_tree_answers_as_scikit_learn_does_to_the_bit(seed: int, depth: int) -> None:
    X, y = examples(seed)
    y[:3] = [0, 1, 2]
    fitted = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(X, y)
    tree = read_tree(dump_model(fitted), 4)
    assert tree is not None
    unseen, _ = examples(seed + 1)
    for rows in (X, unseen, unseen[:1], unseen[:0]):
        expected = fitted.predict_proba(rows) if len(rows) else np.empty((0, 3))
        np.testing.assert_array_equal(tree.predict_proba(rows), expected)


def test_other_models_are_left_to_scikit_learn() -> None:
    X, y = examples(1)
    forest = RandomForestClassifier(2, random_state=0).fit(X, y)
    two_classes = DecisionTreeClassifier().fit(X, y > 0)
    tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    assert read_tree(dump_model(forest), 4) is None
    assert read_tree(dump_model(two_classes), 4) is None
    for other in (1, 3, 5):
        assert read_tree(dump_model(tree), other) is None, "fitted on other features"
    for data in (b"", b"PK", b"x" * 100):
        assert read_tree(data, 4) is None


def tampered(data: bytes, field: str, value: Any) -> bytes:
    """Change the root of a stored tree."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        state = json.loads(source.read(SCHEMA))["content"]["content"]
        name = state["tree_"]["content"]["content"]["nodes"]["file"]
        for member in source.namelist():
            content = source.read(member)
            if member == name:
                nodes = np.load(io.BytesIO(content))
                nodes[field][0] = value
                stream = io.BytesIO()
                np.save(stream, nodes)
                content = stream.getvalue()
            target.writestr(member, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left_child", 0),
        ("left_child", 10**9),
        ("left_child", -2),
        ("right_child", 10**9),
        ("feature", 10**6),
        ("feature", -2),
    ],
)
def test_a_table_that_leads_astray_is_not_followed(field: str, value: int) -> None:
    X, y = examples(2)
    data = dump_model(DecisionTreeClassifier(random_state=0).fit(X, y))
    assert read_tree(data, 4) is not None
    assert read_tree(tampered(data, field, value), 4) is None


def test_scoring_with_a_tree_imports_neither_scikit_learn_nor_skops(
    evaluated: Evaluated, sample_run: Run, tmp_path: Path
) -> None:
    archive = tree_archive(evaluated, sample_run.gold, tmp_path)
    code = f"""
import sys
from pathlib import Path
from basketwise.model.archive import load_model_archive
model = load_model_archive(Path({str(archive)!r}))
line = {{"BASKET_ID": 1, "PROD_CODE": model.products[0], "SPEND": 1, "QUANTITY": 1}}
assert model.predict([line]).height == 1
print(sorted({{"sklearn", "skops", "scipy", "mlflow", "pandas"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
