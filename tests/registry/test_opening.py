from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from basketwise.config import RegistryConfig
from basketwise.errors import ConfigError, DependencyError, WorkspaceError
from basketwise.registry.mlflow import database
from basketwise.registry.mlflow.managed import address_of
from basketwise.registry.opening import open_registry
from tests.mlflow_server import free_port


@contextmanager
def silent_server() -> Iterator[int]:
    """Accept connections and never say anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@contextmanager
def other_server(answer: bytes) -> Iterator[int]:
    """Give every request the same answer, as a server that is no MLflow would."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:///registry.db",
        "databricks",
        "/srv/mlruns",
        "file:///srv/mlruns",
        "http://",
        "http://host:port",
        "http://[::1",
        "localhost:5000",
    ],
)
def test_only_http_addresses_are_taken(uri: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        open_registry(RegistryConfig(uri=uri), tmp_path)
    assert repr(uri) in caught.value.headline
    assert "http://host:port" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_fails_at_once(tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    began = time.monotonic()
    with pytest.raises(DependencyError) as caught:
        open_registry(RegistryConfig(uri=uri), tmp_path)
    assert time.monotonic() - began < 10
    assert uri in caught.value.headline
    assert "registry.uri" in caught.value.hint


def test_a_server_that_says_nothing_fails_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("basketwise.registry.opening.REACH_SECONDS", 0.3)
    with silent_server() as port, pytest.raises(DependencyError, match="no answer within"):
        open_registry(RegistryConfig(uri=f"http://127.0.0.1:{port}"), tmp_path)


def test_a_password_in_the_address_is_not_repeated(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(DependencyError) as caught:
        open_registry(RegistryConfig(uri=f"http://ann:secret@127.0.0.1:{port}"), tmp_path)
    assert "secret" not in str(caught.value)
    assert f"http://127.0.0.1:{port}" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", "MLFLOW_TRACKING_USERNAME"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "check the registry"),
    ],
)
def test_a_server_that_refuses_or_is_no_mlflow_is_reported(
    answer: bytes, hint: str, tmp_path: Path
) -> None:
    with other_server(answer) as port:
        registry = open_registry(RegistryConfig(uri=f"http://127.0.0.1:{port}"), tmp_path)
        with pytest.raises(DependencyError) as caught:
            registry.versions()
    assert f"http://127.0.0.1:{port}" in caught.value.headline
    assert hint in caught.value.hint


ARN = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/team"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:s3:::bucket",
        "arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/team",
        "arn:aws:sagemaker:eu-west-1:1:mlflow-tracking-server/team",
        f"{ARN}/x",
    ],
)
def test_arns_of_other_things_are_refused(arn: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        open_registry(RegistryConfig(uri=arn), tmp_path)
    assert repr(arn) in caught.value.headline
    assert "mlflow-tracking-server/NAME" in caught.value.hint


def test_a_managed_server_needs_the_plug_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("basketwise.registry.mlflow.managed.find_spec", lambda _: None)
    with pytest.raises(DependencyError, match="needs the package sagemaker-mlflow") as caught:
        open_registry(RegistryConfig(uri=ARN), tmp_path)
    assert "pip install sagemaker-mlflow" in caught.value.hint


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (ARN, "https://eu-west-1.experiments.sagemaker.aws"),
        (
            "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-app/app-1",
            "https://mlflow.sagemaker.eu-west-1.app.aws",
        ),
    ],
)
def test_an_arn_leads_to_an_address(arn: str, expected: str) -> None:
    assert address_of(arn) == expected


def test_a_partition_without_managed_servers_is_refused() -> None:
    with pytest.raises(ConfigError, match="Partition aws-cn Not supported"):
        address_of(ARN.replace("aws", "aws-cn", 1).replace("eu-west-1", "cn-north-1"))


def test_a_managed_server_refuses_in_the_words_of_aws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    try:
        with other_server(answer) as port:
            monkeypatch.setenv("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", f"http://127.0.0.1:{port}")
            registry = open_registry(RegistryConfig(uri=ARN), tmp_path)
            with pytest.raises(DependencyError) as caught:
                registry.versions()
            assert ARN in caught.value.headline
            assert "basketwise aws policy run" in caught.value.hint
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                monkeypatch.delenv(name)
            monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
            monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
            with pytest.raises(DependencyError, match="credentials") as caught:
                open_registry(RegistryConfig(uri=ARN), tmp_path).versions()
            assert "basketwise aws policy run" in caught.value.hint
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_made_is_the_workspaces_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="file"):
        open_registry(RegistryConfig(), tmp_path / "file" / "registry").prepare()


@pytest.mark.parametrize("name", ["what?", "my%20shop", "#1 [é]\n&='\""])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name / "registry"
    open_registry(RegistryConfig(), folder).prepare()
    assert (folder / "registry.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_text("this was never a database" * 100)
    with pytest.raises(DependencyError, match=r"registry\.db.*not a database") as caught:
        open_registry(RegistryConfig(), tmp_path).versions()
    assert "damaged" in caught.value.hint


def test_opening_is_silent_and_imports_nothing_heavy_before_it_must(tmp_path: Path) -> None:
    code = (
        "import sys, warnings\n"
        "from pathlib import Path\n"
        "from basketwise.config import RegistryConfig\n"
        "from basketwise.registry.opening import open_registry\n"
        "registry = open_registry(RegistryConfig(), Path(sys.argv[1]))\n"
        "assert registry.versions() == []\n"
        "assert not {'mlflow', 'sqlalchemy', 'requests'} & sys.modules.keys()\n"
        "registry.prepare()\n"
        "assert registry.versions() == []\n"
        "import mlflow.telemetry\n"
        "assert mlflow.telemetry.get_telemetry_client() is None\n"
    )
    folder = tmp_path / "50% off #1 ü" / "registry"
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code, str(folder)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == [folder.parent.name]
    assert {path.name for path in folder.iterdir()} - {"registry.lock"} == {"registry.db"}


def test_a_registry_whose_creation_was_interrupted_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # As in a process that has created none yet.
        patch.setattr(database, "_empty", database._empty.__wrapped__)
        patch.setattr("basketwise.registry.mlflow.calls.connect", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_registry(RegistryConfig(), tmp_path).prepare()
    assert not (tmp_path / "registry.db").exists()
    open_registry(RegistryConfig(), tmp_path).prepare()
    assert (tmp_path / "registry.db").is_file()
