"""A cluster of Spark's own on loopback: a master, and workers of one core each."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEPLOY = "org.apache.spark.deploy"
EXECUTOR = "CoarseGrainedExecutorBackend"
SECONDS = 60.0
LOOPBACK = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1"}


@dataclass(frozen=True)
class Cluster:
    """A running master's URL, and the processes of its workers."""

    url: str
    workers: list[subprocess.Popen[bytes]]
    conf: Path

    def environment(self) -> dict[str, str]:
        """Return what the driver's process needs, apart from the URL."""
        return LOOPBACK | {"SPARK_CONF_DIR": str(self.conf), "PYSPARK_PYTHON": sys.executable}

    def executors(self) -> list[int]:
        """Return the processes of the executors: children of our own workers."""
        own = {worker.pid for worker in self.workers}
        return [
            pid for pid, parent, command in _processes() if parent in own and EXECUTOR in command
        ]


@contextmanager
def running_cluster(folder: Path, workers: int, **settings: Any) -> Iterator[Cluster]:
    """Start a master and workers, and end them by their process ids.

    Each worker, with all that it starts, keeps to a core of its own: else the JVM and the Python of
    one worker would use two. No task begins before all executors are there. ``settings`` are
    Spark's, with ``_`` for dots.
    """
    conf = folder / "conf"
    conf.mkdir(parents=True)
    lines = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.executor.memory": "600m",
        "spark.cores.max": str(workers),
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": f"{SECONDS:.0f}s",
        "spark.local.dir": str(folder / "local"),
        **{f"spark.{name.replace('_', '.')}": str(value) for name, value in settings.items()},
    }
    text = "".join(f"{name} {value}\n" for name, value in lines.items())
    (conf / "spark-defaults.conf").write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"spark://127.0.0.1:{port}"
    with ExitStack() as stack:
        master = ("master.Master", "--host", "127.0.0.1", "--port", str(port))
        stack.enter_context(_process(folder, "master", None, *master, "--webui-port", "0"))
        _wait_for_port(port)
        started = []
        for number in range(workers):
            worker = ("worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1g")
            work = ("--webui-port", "0", "--work-dir", str(folder / f"work-{number}"), url)
            process = _process(folder, f"worker-{number}", number, *worker, *work)
            started.append(stack.enter_context(process))
        for number in range(workers):
            _wait_for(folder / f"worker-{number}.log", "Successfully registered with master")
        yield Cluster(url, started, conf)


@contextmanager
def _process(
    folder: Path, name: str, core: int | None, what: str, *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    import pyspark

    def keep_to_core() -> None:
        if core is not None and hasattr(os, "sched_setaffinity"):
            own = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {own[core % len(own)]})

    start = Path(pyspark.__file__).parent / "bin/spark-class"
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(start), f"{DEPLOY}.{what}", *options],
            stdout=log,
            stderr=log,
            env=os.environ | LOOPBACK,
            preexec_fn=keep_to_core,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(SECONDS)


def _wait_for_port(port: int) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"nothing listens on {port}")


def _wait_for(log: Path, text: str) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if text in log.read_text(errors="replace"):
            return
        time.sleep(0.1)
    raise TimeoutError(f"{log.read_text(errors='replace')[-2000:]}")


def _processes() -> Iterator[tuple[int, int, str]]:
    """Yield the id, the parent's id and the command of each process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        parent = re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)
        if parent:
            yield int(folder.name), int(parent[1]), command
