"""The server of AWS's scikit-learn image: its libraries, started as its entry point starts them.

The image itself needs Docker and an account. Its server does not: it is in libraries on the package
index, apart from the few lines that :data:`MODULE` stands for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from basketwise.artifact.archive import unpack
from basketwise.aws.requests.model_package import environment
from tests.mlflow_server import free_port
from tests.serving.http.client import send

PINS = Path(__file__).with_name("aws_image.txt")
START_SECONDS = 300.0
END_SECONDS = 30.0

MODULE = '''\
"""What sagemaker_sklearn_container.serving does; listens on this machine only."""

import importlib
import subprocess
import types

from sagemaker_containers import _server
from sagemaker_containers.beta.framework import env, server, transformer, worker

app = None


def main(environ, start_response):
    global app
    if app is None:
        name = env.ServingEnv().module_name
        handlers = importlib.import_module(name)
        names = ("model_fn", "input_fn", "predict_fn", "output_fn")
        functions = {name: getattr(handlers, name) for name in names}
        transform = transformer.Transformer(**functions)
        transform.initialize()
        app = worker.Worker(transform_fn=transform.transform, module_name=name)
    return app(environ, start_response)


def local(command, **options):
    return subprocess.Popen([word.replace("0.0.0.0", "127.0.0.1") for word in command], **options)


if __name__ == "__main__":
    _server.subprocess = types.SimpleNamespace(Popen=local)
    server.start(env.ServingEnv().framework_module)
'''


def install(folder: Path) -> Path:
    """Make an environment with the image's libraries; returns its Python."""
    uv = (sys.executable, "-m", "uv")
    _run(*uv, "venv", "--quiet", "--python", sys.executable, str(folder))
    python = folder / "bin/python"
    pins = ("--requirements", str(PINS), "--build-constraints", str(PINS))
    # As in the image, whose libraries pip has compiled.
    _run(*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *pins)
    # The image changes it in the same way: Python 3.10 has moved the class.
    mapping = next(folder.glob("lib/python*/site-packages/sagemaker_containers/_mapping.py"))
    mapping.write_text(
        mapping.read_text().replace("collections.Mapping", "collections.abc.Mapping")
    )
    return python


@contextmanager
def serving(python: Path, archive: Path, folder: Path) -> Iterator[tuple[int, float]]:
    """Serve a self-contained archive with one worker; gives the port, and the seconds to a 200."""
    model, module, port = folder / "model", folder / "image_serving.py", free_port()
    model.mkdir(parents=True)
    unpack(archive, model)
    module.write_text(MODULE)
    others = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    # The image writes no bytecode, unless it is told to.
    settings = {"PYTHONDONTWRITEBYTECODE": "1"} | environment(self_contained=True)
    settings |= {
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "SAGEMAKER_BASE_DIR": str(folder),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        "SAGEMAKER_SERVING_MODULE": "image_serving:main",
        "SAGEMAKER_SUBMIT_DIRECTORY": str(model / "code"),
        "SAGEMAKER_USE_NGINX": "false",
    }
    started = time.monotonic()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(python), str(module)],
            env=others | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(process, port, folder / "log")
        yield port, time.monotonic() - started
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    latest = time.monotonic() + START_SECONDS
    while time.monotonic() < latest and process.poll() is None:
        try:
            status, _, _ = send(port, "GET", "/ping", None)
        except ConnectionError:
            time.sleep(0.05)
            continue
        assert status == 200, log.read_text()
        return
    raise AssertionError(log.read_text())


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
