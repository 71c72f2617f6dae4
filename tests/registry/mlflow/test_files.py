from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_tag_name

from basketwise.registry.mlflow.files import KEY_LENGTH, location, safe_key


@pytest.mark.parametrize("name", ["test_accuracy", "f1.High", "impact/per month", "a-b"])
def test_ordinary_names_stay(name: str) -> None:
    assert safe_key(name) == name


@settings(deadline=None)
@given(st.text(max_size=400))
def test_mlflow_takes_every_key(name: str) -> None:
    key = safe_key(name)
    _validate_tag_name(key)  # type: ignore[no-untyped-call]
    assert 0 < len(key) <= KEY_LENGTH


def test_names_that_differ_stay_apart() -> None:
    names = ["a@b", "a#b", "a_b", "é", "è", "x" * 300, "x" * 301, "", ".", "..", "/", "a//b"]
    assert len({safe_key(name) for name in names}) == len(names)


def test_a_version_of_the_embedded_registry_is_in_its_current_folder(tmp_path: Path) -> None:
    source = "mlflow-artifacts:/r1/artifacts/model.tar.gz"
    assert location(tmp_path, source) == str(tmp_path / "r1" / "artifacts" / "model.tar.gz")
    assert location(tmp_path, "mlflow-artifacts:/models/m-1/artifacts") == str(
        tmp_path / "models" / "m-1" / "artifacts" / "model.tar.gz"
    )
    assert location(None, source) == source
    assert location(tmp_path, "s3://bucket/model.tar.gz") == "s3://bucket/model.tar.gz"
