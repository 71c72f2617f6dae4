"""What is known of an archive that is named by its path."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from basketwise.digests import sha256
from basketwise.serving.http.served import open_path
from tests.evaluation.running import Evaluated


@pytest.fixture
def archive(evaluated: Evaluated, tmp_path: Path) -> Path:
    path = tmp_path / "model.tar.gz"
    shutil.copyfile(evaluated.archive, path)
    return path


def export(archive: Path, document: Any) -> None:
    path = archive.with_name("latest_model_config.json")
    path.write_text(json.dumps(document), encoding="utf-8")


def exported(digest: str) -> dict[str, Any]:
    return {
        "model_info": {"model_sha256": digest, "approval_status": "Approved"},
        "metadata": {"model_version": "3"},
    }


def test_the_configuration_beside_it_says_which_version_it_is(archive: Path) -> None:
    export(archive, exported(sha256(archive)))
    served = open_path(archive)
    assert (served.version, served.status) == ("3", "Approved")
    assert served.identity == {"version": "3", "sha256": sha256(archive)}


@pytest.mark.parametrize(
    "document", [exported("0" * 64), {}, [], {"model_info": 1}, {"model_info": {}}, None]
)
def test_a_configuration_of_another_archive_says_nothing(archive: Path, document: Any) -> None:
    if document is not None:
        export(archive, document)
    served = open_path(archive)
    assert (served.version, served.status, served.sha256) == (None, None, sha256(archive))
