from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from basketwise.artifact import bundle
from basketwise.artifact.archive import read_json, unpack
from basketwise.aws import self_contained
from basketwise.aws.container import build_backend
from basketwise.aws.self_contained import (
    is_self_contained,
    with_libraries,
    write_self_contained,
)
from basketwise.config import AwsConfig
from basketwise.digests import sha256
from basketwise.files import MANIFEST
from basketwise.model.archive import load_model_archive
from basketwise.registry.identity import model_digest
from basketwise.registry.protocol import Submission
from tests.aws.wheel_index import Index, offered
from tests.evaluation.running import Evaluated

TOLD = """\
import sys
import inference
print("basketwise" in sys.modules)
import basketwise, firstlib
print(firstlib.__file__, basketwise.__file__, inference.model_fn.__module__)
"""
"""Prints where the libraries are from, and that none is imported before it is used."""

CLOSED = "http://127.0.0.1:9/simple"
"""Nothing listens there."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with offered(tmp_path_factory.mktemp("index")) as own, pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_contained, "lock_text", lambda _: own.lock)
        yield own


@pytest.fixture(scope="module")
def packed(index: Index, evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("packed") / "model.tar.gz"
    write_self_contained(evaluated.archive, target)
    return target


def test_it_starts_without_an_index_as_awss_toolkit_starts_it(packed: Path, tmp_path: Path) -> None:
    model, code, site = tmp_path / "model", tmp_path / "opt-ml-code", tmp_path / "site"
    model.mkdir()
    unpack(packed, model)
    # The toolkit copies the folder, and adds a script that wants setuptools.
    shutil.copytree(model / "code", code)
    (code / "setup.py").write_text("from setuptools import setup\nsetup(packages=[''])\n")
    # It has pip install requirements only where there are some.
    assert not (code / "requirements.txt").exists()
    settings = {"PIP_INDEX_URL": CLOSED, "PIP_CONFIG_FILE": os.devnull}
    others = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
            *(".", "--no-compile", "--target", str(site)),
        ],
        cwd=code,
        env=others | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in site.glob("*.*")} == {
        "basketwise_inference-1.dist-info",
        "inference.py",
    }
    # The process that starts the server imports pip's copy, its workers the folder's.
    for folder in (site, code):
        done = subprocess.run(
            [sys.executable, "-c", TOLD],
            env={**others, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [
            "False",
            str(code / "lib/firstlib.py"),
            str(code / "lib/basketwise/__init__.py"),
            "basketwise.aws.container.inference",
        ]


def test_it_is_the_same_model_and_scores(packed: Path, evaluated: Evaluated) -> None:
    assert is_self_contained(packed)
    assert not is_self_contained(evaluated.archive)
    assert model_digest(packed) == model_digest(evaluated.archive)
    old, new = (read_json(path, MANIFEST) for path in (evaluated.archive, packed))
    changed = {name for name, digest in new["files"].items() if old["files"].get(name) != digest}
    assert changed == {
        "code/build_backend.py",
        "code/libraries.zip",
        "code/pyproject.toml",
    }
    assert old["files"].keys() - new["files"].keys() == {"code/requirements.txt"}
    assert {**new, "files": {}} == {**old, "files": {}}
    load_model_archive(packed)


def test_the_same_wheels_give_the_same_bytes(
    packed: Path, evaluated: Evaluated, tmp_path: Path
) -> None:
    write_self_contained(evaluated.archive, tmp_path / "again.tar.gz")
    assert sha256(tmp_path / "again.tar.gz") == sha256(packed)


def test_the_submission_names_the_archive_that_is_stored(
    index: Index, evaluated: Evaluated, tmp_path: Path
) -> None:
    digest = model_digest(evaluated.archive)
    slim = Submission(
        "run", evaluated.archive, sha256(evaluated.archive), "", {}, {}, {}, model_digest=digest
    )
    whole = with_libraries(slim, tmp_path)
    assert whole.model_archive == tmp_path / "model.tar.gz"
    assert whole.sha256 == sha256(whole.model_archive) != slim.sha256
    assert (whole.model_digest, whole.run_id) == (digest, "run")


def test_the_build_backend_is_python_of_any_version_and_imports_nothing_else() -> None:
    tree = ast.parse(Path(build_backend.__file__).read_text(), feature_version=(3, 9))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {node.module for node in imports if isinstance(node, ast.ImportFrom)}
    modules |= {
        name.name for node in imports if isinstance(node, ast.Import) for name in node.names
    }
    assert modules == {"__future__", "pathlib", "typing", "zipfile"}


def test_the_build_backend_and_the_handlers_agree() -> None:
    assert (build_backend.HANDLERS, build_backend.LIBRARIES) == (bundle.INFERENCE, bundle.LIBRARIES)
    assert bundle.SCRIPT.count(build_backend.HANDLERS_FOLDER) == 1


def test_a_self_contained_archive_can_be_packed_again(
    packed: Path, index: Index, tmp_path: Path
) -> None:
    write_self_contained(packed, tmp_path / "again.tar.gz")
    assert sha256(tmp_path / "again.tar.gz") == sha256(packed)


def test_an_image_of_ones_own_needs_no_wheels() -> None:
    with pytest.raises(ValueError, match="contains the libraries"):
        AwsConfig(image="own", image_uri="x", archive="self-contained")
