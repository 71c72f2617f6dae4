from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_tag_name

from basketwise.digests import sha256
from basketwise.errors import InputError
from basketwise.registry.mlflow.files import (
    KEY_LENGTH,
    check_files,
    location,
    safe_key,
)
from basketwise.registry.protocol import Submission


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


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"a model")
    return Submission("run", archive, sha256(archive), "", {}, {})


def test_missing_files_are_named(submission: Submission, tmp_path: Path) -> None:
    check_files(submission)
    gone = tmp_path / "gone.png"
    with pytest.raises(InputError, match=r"gone\.png is not a file"):
        check_files(replace(submission, attachments=(gone,)))
    with pytest.raises(InputError, match=r"gone\.png is not a file"):
        check_files(replace(submission, model_archive=gone))


def test_attachments_must_not_overwrite_each_other(submission: Submission, tmp_path: Path) -> None:
    paths = (tmp_path / "a" / "plot.png", tmp_path / "b" / "plot.png")
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"Two attachments are called 'plot\.png'"):
        check_files(replace(submission, attachments=paths))


def test_a_version_of_the_embedded_registry_lies_in_its_present_folder(tmp_path: Path) -> None:
    source = "mlflow-artifacts:/r1/artifacts/model.tar.gz"
    assert location(tmp_path, "r1", source) == str(tmp_path / "r1" / "artifacts" / "model.tar.gz")
    assert location(None, "r1", source) == source
    assert location(tmp_path, "r1", "s3://bucket/model.tar.gz") == "s3://bucket/model.tar.gz"
