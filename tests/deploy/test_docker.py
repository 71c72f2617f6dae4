from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from basketwise import __version__
from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.docker import build_context
from basketwise.deploy.library import Library, lock_text
from basketwise.deploy.options import Options

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/python:3.12-slim@sha256:" + "1" * 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wheel")


@pytest.fixture(scope="module")
def dockerfile(model: ApprovedModel, folder: Path) -> str:
    text = build_context(model, Options(), folder)["Dockerfile"]
    assert isinstance(text, str)
    return text


def step(dockerfile: str, start: str) -> str:
    """Return a command of the Dockerfile, as the shell gets it."""
    found = re.search(rf"^RUN ({start}(?:.*\\\n)*.*)$", dockerfile, re.MULTILINE)
    assert found, start
    return found[1].replace("\\\n", " ")


def test_the_context_is_all_that_the_build_needs(model: ApprovedModel, folder: Path) -> None:
    files = build_context(model, Options(), folder)
    wheel = f"basketwise-{__version__}-py3-none-any.whl"
    copied = {"requirements.lock", "model.tar.gz", "latest_model_config.json", wheel}
    assert set(files) == {"Dockerfile", ".dockerignore", *copied}
    assert files["model.tar.gz"] == model.archive
    assert files["requirements.lock"] == lock_text(Library.TREE)
    text = files["Dockerfile"]
    assert isinstance(text, str)
    lines = re.findall(r"^COPY ((?!--)\S+(?: \S+)*) \./$", text, re.MULTILINE)
    assert {name for line in lines for name in line.split()} == copied
    assert files["latest_model_config.json"] == model.document
    packed = Path(str(files[wheel]))
    assert "basketwise/serving/versions.py" in zipfile.ZipFile(packed).namelist()
    ignored = str(files[".dockerignore"]).splitlines()[1:]
    assert ignored == [
        "*",
        "!model.tar.gz",
        "!latest_model_config.json",
        "!requirements.lock",
        f"!{wheel}",
    ]


def test_the_model_is_pinned(model: ApprovedModel, dockerfile: str, tmp_path: Path) -> None:
    check = step(dockerfile, "echo").split("&&")[0]
    (tmp_path / "model.tar.gz").write_bytes(model.archive.read_bytes())
    assert subprocess.run(["sh", "-c", check], cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "model.tar.gz").write_bytes(b"another")
    done = subprocess.run(["sh", "-c", check], cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == 1
    assert f"com.basketwise.model.version={model.version}" in dockerfile
    assert f"com.basketwise.model.sha256={model.sha256}" in dockerfile
    assert "latest" not in dockerfile.replace("latest_model_config.json", "")


@pytest.mark.parametrize(("base", "code"), [(BASE, 0), ("python:3.12-slim", 1), ("", 1)])
def test_a_base_that_can_change_is_refused(dockerfile: str, base: str, code: int) -> None:
    done = subprocess.run(
        ["sh", "-c", step(dockerfile, "case")],
        env={"BASE": base},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert ("by its digest" in done.stderr) is bool(code)


def test_a_base_can_be_given(model: ApprovedModel, folder: Path, dockerfile: str) -> None:
    text = build_context(model, Options(base=BASE), folder)["Dockerfile"]
    assert f"\nARG BASE={BASE}\n" in str(text)
    assert "\nARG BASE\nFROM ${BASE} AS build\n" in dockerfile.replace("\n\n", "\n")


def test_it_runs_without_rights(dockerfile: str) -> None:
    final = dockerfile.rpartition("FROM ${BASE}")[2]
    assert "\nUSER 10001:10001\n" in final
    assert "\nEXPOSE 8080\n" in final
    assert 'ENTRYPOINT ["basketwise", "serve"]' in final
    assert (
        'CMD ["--model", "/opt/model/model.tar.gz", "--host", "0.0.0.0", "--port", "8080"]' in final
    )
    assert not re.search(r"pip install|--no-auth|TOKEN *=", final)


def test_every_command_is_a_shells(dockerfile: str) -> None:
    commands = re.findall(r"^RUN ((?:.*\\\n)*.*)$", dockerfile, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        subprocess.run(["sh", "-n", "-c", command.replace("\\\n", " ")], check=True)


def test_the_health_check_asks_the_server(dockerfile: str) -> None:
    command = re.search(r'CMD \["python", "-c", "([^"]+)"\]', dockerfile)
    assert command
    # Nobody listens there.
    port = "127.0.0.1', 1"
    code = command[1].replace("127.0.0.1', 8080", port)
    assert port in code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert b"ConnectionRefusedError" in done.stderr


@pytest.mark.parametrize("library", list(Library))
def test_the_locks_have_what_serving_needs_and_no_more(library: Library) -> None:
    names = set(re.findall(r"^([a-z0-9-]+)==", lock_text(library), re.MULTILINE))
    assert {"polars", "numpy", "pydantic", "starlette", "uvicorn", "prometheus-client"} <= names
    assert not names & {"mlflow-skinny", "matplotlib", "boto3", "sqlalchemy", "pip", "setuptools"}
    for package in ("scikit-learn", "skops", "scipy"):
        assert (package in names) is (library in (Library.SKLEARN, Library.BOTH))
    assert ("xgboost-cpu" in names) is (library in (Library.XGBOOST, Library.BOTH))


@pytest.mark.parametrize("library", list(Library))
def test_the_locks_pin_what_the_tests_run_with(library: Library) -> None:
    pins = re.compile(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==([^\s;]+)", re.MULTILINE)
    tested = (ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")
    assert set(pins.findall(lock_text(library))) <= set(pins.findall(tested))
