"""Each thing that is missing is one clear error, and at once."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from basketwise.engines.spark import session
from basketwise.engines.spark.session import failures, spark_session
from basketwise.errors import ConfigError, DependencyError, InputError
from tests.engines.spark.conftest import Spark


def refused(url: str) -> DependencyError:
    with pytest.raises(DependencyError) as error, spark_session(url):
        pass
    return error.value


def test_without_pyspark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    error = refused("local[2]")
    assert error.headline.startswith("Spark needs Python packages that are not installed")
    assert error.hint == 'Install them: pip install "basketwise[spark]"'


@pytest.mark.parametrize("home", [None, "/nowhere"])
def test_without_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str | None) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home:
        monkeypatch.setenv("JAVA_HOME", home)
    error = refused("local[2]")
    assert error.headline == (
        "JAVA_HOME is '/nowhere', where there is no Java."
        if home
        else "Spark needs Java, which is not installed."
    )
    assert "default-jre-headless" in error.hint


class Builder:
    """Makes sessions as Spark's builder does; ``error`` is what becomes of it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: dict[str, str] = {}
        self.error, self.stopped = error, False

    def appName(self, name: str) -> Builder:  # noqa: N802
        self.asked["name"] = name
        return self

    def master(self, url: str) -> Builder:
        self.asked["master"] = url
        return self

    def config(self, name: str, value: str) -> Builder:
        self.asked[name] = value
        return self

    def getOrCreate(self) -> Builder:  # noqa: N802
        if self.error:
            raise self.error
        return self

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def with_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/java").touch()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.delenv("SPARK_REMOTE", raising=False)


@pytest.mark.usefixtures("with_java")
@pytest.mark.parametrize("url", ["local[2]", ""])
def test_a_session_of_this_process_ends_with_the_block(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    from pyspark.sql import SparkSession

    builder = Builder()
    monkeypatch.setattr(SparkSession, "builder", builder)
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    with spark_session(url) as made:
        assert id(made) == id(builder)
        assert not builder.stopped
    assert builder.stopped
    assert builder.asked["name"] == "basketwise"
    assert builder.asked.get("master", "") == url


@pytest.mark.usefixtures("with_java")
def test_a_session_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.sql import SparkSession

    monkeypatch.setattr(SparkSession, "builder", Builder(ValueError("no cores\nat java.lang …")))
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    assert refused("local[2]").headline == "No Spark session at local[2]: no cores"
    monkeypatch.setattr(SparkSession, "builder", Builder(ValueError("")))
    assert refused("local[2]").headline == "No Spark session at local[2]: ValueError"


def test_an_active_session_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.sql import SparkSession

    active = Builder()
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: active)
    with spark_session() as taken:
        assert id(taken) == id(active)
    assert not active.stopped


@pytest.mark.parametrize("scheme", ["sc://", "spark://"])
def test_nobody_listens(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = refused(f"{scheme}127.0.0.1:{port}/;token=secret")
    expected = f"No Spark server answers at {scheme}127.0.0.1:{port}: Connection refused."
    assert error.headline == expected
    assert "secret" not in str(error)


def test_a_server_that_refuses(sail: Spark, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.sql.connect.session import SparkSession

    monkeypatch.setattr(SparkSession, "version", property(lambda _: 1 / 0))
    error = refused(sail.url)
    assert error.headline == f"No Spark session at {sail.url}: division by zero"


@pytest.mark.parametrize("url", ["http://host", "sc://", "sc://host:port", "nonsense"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ConfigError) as error, spark_session(url):
        pass
    assert "--spark" in error.value.headline
    assert error.value.hint == session.ALLOWED


def test_an_active_session_is_taken_and_stays(classic: Spark) -> None:
    with spark_session() as taken:
        assert taken is classic.session
    assert classic.session.range(3).count() == 3


def test_a_session_of_a_url_ends_with_the_block(sail: Spark) -> None:
    with spark_session(sail.url) as made:
        assert made.range(3).count() == 3
    assert sail.session.range(3).count() == 3


def test_a_failure_of_spark_is_no_fault_of_ours() -> None:
    from pyspark.errors import PySparkException

    with pytest.raises(DependencyError, match="Spark failed: no executor") as caught, failures():
        raise PySparkException("no executor is left\nat org.apache.spark …")
    assert caught.value.exit_code == 3
    with pytest.raises(InputError, match="ours"), failures():
        raise InputError("ours")


JAVA = (
    "\n\tat org.apache.spark.api.python.BasePythonRunner.read(PythonRunner.scala:1)\nCaused by: x"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[PATH_NOT_FOUND] no path\n== SQL ==", "[PATH_NOT_FOUND] no path"),
        ("", "Py4JError"),
        (
            "An exception was thrown from the Python worker:\nTraceback (most recent call last):\n"
            '  File "frames.py", line 16, in <module>\n    import polars\n    ^^^^^\n'
            f"ModuleNotFoundError: No module named 'polars'{JAVA}",
            "ModuleNotFoundError: No module named 'polars'",
        ),
        (
            "  Job aborted: PythonException: Traceback (most recent call last):\n    File 'a'\n"
            "  KeyError: 1\n\n  During handling of it:\n\n  Traceback (most recent call last):\n"
            f"    File 'b'\n  OSError: full{JAVA}",
            "OSError: full",
        ),
        (
            f"An error occurred while calling o94.collect.\n: SparkException: killed{JAVA}",
            "SparkException: killed",
        ),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
    ],
)
def test_the_reason_is_one_line_of_many(text: str, expected: str) -> None:
    from py4j.protocol import Py4JError

    # Killed workers are such errors in a classic session, not Spark's own.
    with pytest.raises(DependencyError) as caught, failures():
        raise Py4JError(text)
    assert caught.value.headline == f"Spark failed: {expected}"


def test_a_client_without_py4j(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py4j.protocol", None)
    test_a_failure_of_spark_is_no_fault_of_ours()
