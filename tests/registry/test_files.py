from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from basketwise.digests import sha256
from basketwise.errors import InputError
from basketwise.registry.files import check_files
from basketwise.registry.protocol import Submission


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"a model")
    return Submission("run", archive, sha256(archive), "", {}, {})


def test_missing_files_are_named(submission: Submission, tmp_path: Path) -> None:
    check_files(submission)
    missing = tmp_path / "gone.png"
    with pytest.raises(InputError, match=r"gone\.png is not a file"):
        check_files(replace(submission, attachments=(missing,)))
    with pytest.raises(InputError, match=r"gone\.png is not a file"):
        check_files(replace(submission, model_archive=missing))


def test_attachments_must_not_overwrite_each_other(submission: Submission, tmp_path: Path) -> None:
    paths = (tmp_path / "a" / "plot.png", tmp_path / "b" / "plot.png")
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"Two attachments have the name 'plot\.png'"):
        check_files(replace(submission, attachments=paths))
