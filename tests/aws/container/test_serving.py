from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from basketwise.artifact.archive import unpack
from basketwise.aws.container.serving import main
from basketwise.errors import ConfigError
from tests.aws.double.mounts import NOT_ALLOWED, inside, may_mount
from tests.evaluation.running import Evaluated
from tests.serving.http.client import EXAMPLE, invoke, send_request


@pytest.mark.parametrize("name", ["SAGEMAKER_BIND_TO_PORT", "SAGEMAKER_MAX_PAYLOAD_IN_MB"])
@pytest.mark.parametrize("value", ["0", "-1", "http", "70000"])
def test_a_non_numeric_setting_of_sagemaker_is_refused(
    base: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name} is '{value}'"):
        main([])


def free_port() -> int:
    with socket.socket() as result:
        result.bind(("127.0.0.1", 0))
        return int(result.getsockname()[1])


@pytest.mark.parametrize(
    "mounted",
    [
        False,
        pytest.param(True, marks=pytest.mark.skipif(not may_mount(), reason=NOT_ALLOWED)),
    ],
)
def test_the_container_serves_the_model_that_sagemaker_unpacked(
    evaluated: Evaluated, base: Path, mounted: bool
) -> None:
    (base / "model").mkdir()
    unpack(evaluated.archive, base / "model")
    port = free_port()
    command = [sys.executable, "-m", "basketwise.aws.container", "serve", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        inside([(str(base / "model"), True)], command) if mounted else command,
        env={**os.environ, "SAGEMAKER_BIND_TO_PORT": str(port)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == f"listening on port {port}\n"
        assert send_request(port, "GET", "/ping")[0] == 200
        assert invoke(port, EXAMPLE)[0] == 200
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert time.monotonic() - told < 10
    finally:
        process.kill()
        process.communicate()
