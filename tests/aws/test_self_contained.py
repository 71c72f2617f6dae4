from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import basketwise
from basketwise.artifact.archive import read_json, unpack
from basketwise.artifact.bundle import SERVING, pins
from basketwise.aws import self_contained
from basketwise.aws.self_contained import (
    download,
    is_self_contained,
    needed,
    with_libraries,
    write_self_contained,
)
from basketwise.config import AwsConfig
from basketwise.deploy.library import Library, lock_text
from basketwise.digests import sha256
from basketwise.errors import DependencyError
from basketwise.files import MANIFEST
from basketwise.model.archive import load_model_archive
from basketwise.registry.identity import model_digest
from basketwise.registry.protocol import Submission
from tests.evaluation.running import Evaluated

CLOSED = "http://127.0.0.1:9/simple"
"""Nothing listens there."""


def write_library(folder: Path, name: str, tag: str = "py3-none-any") -> str:
    """Write a wheel with one module, and return its line of a lock."""
    about = f"{name}-1.dist-info"
    files = {
        f"{name}.py": f"NAME = {name!r}\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = f"{about}/RECORD"
    files[record] = "".join(f"{file},,\n" for file in (*files, record))
    path = folder / f"{name}-1-{tag}.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(zipfile.ZipInfo(file), text)
    return f"{name}==1 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@dataclass(frozen=True)
class Index:
    """A folder of wheels that pip takes for its index, and the lock of them."""

    folder: Path
    lock: str


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("index")
    names = ("firstlib", "secondlib", "uvicorn")
    lock = "".join(write_library(folder, name) for name in names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(folder))
        patch.setattr(self_contained, "lock_text", lambda _: lock)
        yield Index(folder, lock)


@pytest.fixture(scope="module")
def packed(index: Index, evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("packed") / "model.tar.gz"
    write_self_contained(evaluated.archive, target)
    return target


def test_it_installs_without_an_index_as_awss_toolkit_does(packed: Path, tmp_path: Path) -> None:
    model, code, site = tmp_path / "model", tmp_path / "opt-ml-code", tmp_path / "site"
    model.mkdir()
    unpack(packed, model)
    # The toolkit copies the folder, and adds a script that wants setuptools.
    shutil.copytree(model / "code", code)
    (code / "setup.py").write_text("from setuptools import setup\nsetup(packages=[''])\n")
    settings = {"PIP_INDEX_URL": CLOSED, "PIP_CONFIG_FILE": os.devnull}
    others = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
            *(".", "-r", "requirements.txt", "--no-compile", "--target", str(site)),
        ],
        cwd=code,
        env=others | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    modules = {path.name for path in site.glob("*.py")}
    assert modules == {"firstlib.py", "secondlib.py", "inference.py"}
    # The handlers take Basketwise from the wheel beside them.
    assert [path.name for path in site.glob("*.whl")] == [
        f"basketwise-{basketwise.__version__}-py3-none-any.whl"
    ]
    requirements = (code / "requirements.txt").read_text()
    assert requirements == "--no-index\n--find-links .\nfirstlib==1\nsecondlib==1\n"


def test_it_is_the_same_model_and_scores(packed: Path, evaluated: Evaluated) -> None:
    assert is_self_contained(packed)
    assert not is_self_contained(evaluated.archive)
    assert model_digest(packed) == model_digest(evaluated.archive)
    old, new = (read_json(path, MANIFEST) for path in (evaluated.archive, packed))
    changed = {name for name, digest in new["files"].items() if old["files"].get(name) != digest}
    assert changed == {
        "code/build_backend.py",
        "code/firstlib-1-py3-none-any.whl",
        "code/pyproject.toml",
        "code/requirements.txt",
        "code/secondlib-1-py3-none-any.whl",
    }
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


def test_a_library_without_a_wheel_for_the_image_is_named(index: Index, tmp_path: Path) -> None:
    lock = write_library(index.folder, "maconly", "cp312-cp312-macosx_11_0_arm64")
    with pytest.raises(DependencyError, match=r"Python 3\.12 on Linux x86-64: .*maconly") as error:
        download(index.lock + lock, tmp_path)
    assert "slim" in error.value.hint


def test_a_wheel_with_another_hash_is_refused(index: Index, tmp_path: Path) -> None:
    lock = write_library(index.folder, "changed")
    wheel = index.folder / "changed-1-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(DependencyError, match="cannot be downloaded"):
        download(lock, tmp_path)
    assert not list(tmp_path.glob("*.whl"))


def test_pip_is_asked_for_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DependencyError, match="needs pip") as error:
        download("", tmp_path)
    assert "ensurepip" in error.value.hint


@pytest.mark.parametrize("library", list(Library))
def test_it_carries_what_scoring_needs_and_no_server(library: Library) -> None:
    names = {line.partition("==")[0] for line in needed(lock_text(library)).splitlines()}
    names = {name for name in names if name and name[0].isalpha()}
    scoring = {pin.partition("==")[0] for pin in pins((*SERVING, "cloudpickle"))}
    assert {"numpy", "polars", "pydantic"} <= names <= scoring | {"typing-extensions"}


def test_every_library_keeps_its_hashes() -> None:
    lock = needed(lock_text(Library.BOTH))
    starts = [line for line in lock.splitlines() if line[0].isalpha()]
    assert all(line.endswith("\\") for line in starts)
    assert "uvicorn" not in lock
    assert lock.count("--hash=sha256:") > len(starts)


def test_the_build_backend_is_python_of_any_version() -> None:
    ast.parse(self_contained.BUILD, feature_version=(3, 9))


def test_an_image_of_ones_own_needs_no_wheels() -> None:
    with pytest.raises(ValueError, match="contains the libraries"):
        AwsConfig(image="own", image_uri="x", archive="self-contained")
