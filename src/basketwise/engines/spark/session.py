"""The Spark session: the one that is active, or one of a URL."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from basketwise.errors import ConfigError, DependencyError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

INSTALL = 'pip install "basketwise[spark]"'
CONNECT, STANDALONE, LOCAL = "sc://", "spark://", "local"
PORTS = {CONNECT: 15002, STANDALONE: 7077}
"""Where servers listen by default."""

PATIENCE = 10.0
"""Seconds within which a server takes a connection. Spark itself would try for minutes."""

SETTINGS = {
    "spark.ui.showConsoleProgress": "false",
    # Spark runs a task on each core: with more threads, tasks would take turns.
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
}
"""Of sessions that are started here."""

TRACEBACK = "Traceback (most recent call last):"
CALLING = "An error occurred while calling"
"""How errors of a task's Python, and those of Py4J, begin."""

ALLOWED = "Give local[2] (two cores of this machine), spark://HOST:7077 or sc://HOST:15002."


@contextmanager
def spark_session(
    url: str = "", settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[SparkSession]:
    """Give a session; one that was made for it ends with the block.

    Parameters
    ----------
    url : str
        ``local[2]``, ``spark://HOST:PORT``, ``sc://HOST:PORT``, or another master that Spark knows.
        Empty: the session that is active, or else the one that the environment describes, as
        ``spark-submit`` does.
    settings : mapping
        Of a session that is started here, beside :data:`SETTINGS`.

    Raises
    ------
    DependencyError
        If pyspark or Java is not installed, the server does not answer, or no session can be made.
    ConfigError
        If it is no such URL.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise _not_installed(error) from error
    active = SparkSession.getActiveSession()
    if active is not None and not url:
        yield active
        return
    remote = url or os.environ.get("SPARK_REMOTE", "")
    session = _connected(remote) if remote.startswith(CONNECT) else _started(url, settings)
    try:
        yield session
    finally:
        if session is not active:
            session.stop()


def _connected(url: str) -> SparkSession:
    """Open a session of a server that speaks Spark Connect."""
    _require_server(url, CONNECT)
    try:
        from pyspark.sql.connect.session import SparkSession as Remote
    except ImportError as error:
        raise _not_installed(error) from error
    try:
        session = Remote.builder.remote(url).create()
        # Nothing is asked of the server before.
        _ = session.version
    except Exception as error:
        raise _refused(_server(url, CONNECT), error) from error
    return cast("SparkSession", session)


def _started(url: str, settings: Mapping[str, str]) -> SparkSession:
    """Start a session whose driver is this process."""
    if url.startswith(STANDALONE):
        _require_server(url, STANDALONE)
    elif url and not url.startswith((LOCAL, "yarn", "k8s://")):
        raise ConfigError(f"--spark {url!r} is no URL of Spark.", ALLOWED)
    _require_java()
    from pyspark.sql import SparkSession

    # The tasks' Python must have what this one has.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("basketwise")
    try:
        if url:
            builder = builder.master(url)
        for name, value in {**SETTINGS, **settings}.items():
            builder = builder.config(name, value)
        return builder.getOrCreate()
    except Exception as error:
        raise _refused(url or "the environment", error) from error


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin/java").exists():
        return
    if home or shutil.which("java") is None:
        raise DependencyError(
            f"JAVA_HOME is {home!r}, where there is no Java."
            if home
            else "Spark needs Java, which is not installed.",
            "Install a JRE of version 17 or 21 (Debian: apt-get install default-jre-headless), "
            "or give sc://HOST:PORT of a server that has one.",
        )


def _require_server(url: str, scheme: str) -> None:
    """Ask whether anybody listens, with a patience of our own."""
    host, port = _address(url, scheme)
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError as error:
        raise DependencyError(
            f"No Spark server answers at {_server(url, scheme)}: {error.strerror or error}.",
            "Start it, fix host and port, or check the network between here and there.",
        ) from error


def _address(url: str, scheme: str) -> tuple[str, int]:
    # Several masters, one of which leads, are separated by commas.
    first = url.removeprefix(scheme).partition(",")[0].partition("/")[0].partition(";")[0]
    try:
        parts = urlsplit(f"//{first}")
        host, port = parts.hostname, parts.port or PORTS[scheme]
    except ValueError as error:
        raise ConfigError(f"--spark {scheme}{first!r} is no URL of Spark.", ALLOWED) from error
    if not host:
        raise ConfigError(f"--spark {scheme} names no host.", ALLOWED)
    return host, port


def _server(url: str, scheme: str) -> str:
    """Name a server; what follows its address may be a token."""
    host, port = _address(url, scheme)
    return f"{scheme}{host}:{port}"


def _not_installed(error: ImportError) -> DependencyError:
    return DependencyError(
        f"Spark needs Python packages that are not installed ({error}).", f"Install them: {INSTALL}"
    )


def reason(error: Exception) -> str:
    """Return why Spark failed: one line of what it says, which may go on for pages.

    Of a failure in a task that is what Python raised there, of one in the JVM what follows the name
    of the call, else the first line.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    starts = [number for number, line in enumerate(lines) if line.endswith(TRACEBACK)]
    if starts:
        start = starts[-1]
        margin = _indentation(lines[start])
        for line in lines[start + 1 :]:
            if line.strip() and _indentation(line) <= margin:
                return line.strip()
    if lines[0].startswith(CALLING) and len(lines) > 1:
        return lines[1].removeprefix(": ")
    return lines[0]


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


@contextmanager
def failures() -> Iterator[None]:
    """Say of a failure of Spark itself what it is.

    Raises
    ------
    DependencyError
        If Spark, or a task, failed within the block.
    """
    try:
        yield
    except _own_errors() as error:
        raise DependencyError(
            f"Spark failed: {reason(error)}",
            "Its log, and those of its executors, say more; nothing in the workspace was changed.",
        ) from error


def _own_errors() -> tuple[type[Exception], ...]:
    """Return what Spark raises; in a classic session, that a worker was killed is Py4J's error."""
    from pyspark.errors import PySparkException

    try:
        from py4j.protocol import Py4JError
    except ImportError:
        # Clients of Spark Connect can do without.
        return (PySparkException,)
    return PySparkException, Py4JError


def _refused(server: str, error: Exception) -> DependencyError:
    return DependencyError(
        f"No Spark session at {server}: {reason(error)}",
        "Versions of pyspark here and of the server there must go together; its log says more.",
    )
