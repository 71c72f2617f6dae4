"""Secrets in addresses, settings and variables: seen nowhere, whatever the command says."""

from __future__ import annotations

import socket
import tarfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import basketwise as bw
from basketwise.config import RegistryConfig
from basketwise.registry.opening import open_registry
from basketwise.sampling import generate
from tests.cli.calling import SMALL, Outcome, call
from tests.hostile.addresses import ADDRESSES, SECRET, WITH_PASSWORD
from tests.hostile.scale import tried

LONG = bool(tried(False, True))
"""Whether every address is tried with every command, and not some with one of them."""
SOME = 2
"""Addresses of each command, where not all are tried."""

VARIABLES = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": f"aws{SECRET}",
    "AWS_SESSION_TOKEN": f"session/{SECRET}==",
    "MLFLOW_TRACKING_USERNAME": "ann",
    "MLFLOW_TRACKING_PASSWORD": f"mlflow{SECRET}",
    "SHOP_API_KEY": f"shop{SECRET}",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}

SETTING = "registry.uri={}"
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("models", "list", "--set", SETTING),
    ("models", "show", "1", "--set", SETTING, "--json"),
    ("models", "approve", "1", "--set", SETTING, "--why", "{}"),
    ("models", "rollback", "--set", SETTING),
    ("models", "history", "--set", SETTING),
    ("export", "--set", SETTING),
    ("register", "--run", "x", "--set", SETTING),
    ("predict", "--data", "lines.csv", "--out", "x.csv", "--set", SETTING),
    ("clean", "--yes", "--workspace", "w", "--set", SETTING),
    ("clean", "--dry-run", "--workspace", "{}", "--json"),
    ("doctor", "--set", SETTING),
    ("doctor", "--json", "--set", SETTING),
    ("models", "list", "--workspace", "s3://bucket/x", "--set", "aws.endpoint_url={}"),
    ("aws", "policy", "run", "--set", "aws.endpoint_url={}"),
    ("aws", "clean", "--dry-run", "--set", "aws.endpoint_url={}"),
    ("doctor", "--aws", "--set", "aws.endpoint_url={}"),
    ("models", "list", "--set", "{}"),
    ("models", "list", "--set", "registry.group={}"),
    ("models", "list", "--set", "split.strategy={}"),
    ("models", "list", "--set", "data.columns={}"),
    ("models", "list", "--set", "aws.region={}", "--json"),
    ("run", "{}"),
    ("etl", "--data", "{}"),
    ("etl", "lines.csv", "--products", "{}"),
    ("train", "--workspace", "{}"),
    ("evaluate", "--run", "{}"),
    ("reproduce", "--run", "{}"),
    ("predict", "--data", "{}", "--out", "x.csv", "--model", "{}"),
    ("models", "list", "--config", "{}"),
    ("models", "list", "{}"),
    ("init", "--data", "{}"),
    ("{}",),
)
"""Every command that can fail on an address before it has worked; ``{}`` is the address."""


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Know no host but this machine, and use a folder of this test for everything."""
    look_up = socket.getaddrinfo

    def local(host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in ("127.0.0.1", "::1"):
            raise socket.gaierror(socket.EAI_NONAME, "unknown host")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", local)
    monkeypatch.setattr("basketwise.registry.opening.REACH_SECONDS", 1.0)
    # Nobody waits before another attempt.
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "w" / "gold").mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "lines.csv").write_text("BASKET_ID,PROD_CODE,SPEND,QUANTITY\n1,A,1.00,1\n")


def files_with_secret(folder: Path) -> list[str]:
    """Name the files below a folder, and the members of archives, that contain the secret."""
    named = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if SECRET.encode() in path.read_bytes():
            named.append(str(path))
        if path.name.endswith(".tar.gz"):
            with tarfile.open(path) as archive:
                for member in archive.getmembers():
                    stream = archive.extractfile(member)
                    if stream and SECRET.encode() in stream.read():
                        named.append(f"{path}: {member.name}")
    return named


def kept(outcome: Outcome) -> bool:
    """Whether a call printed no secret, and failed as it should if it failed."""
    return SECRET not in outcome.out + outcome.err and outcome.code != 4


def cases() -> Iterator[tuple[str, tuple[str, ...]]]:
    if LONG:
        yield from product(ADDRESSES, COMMANDS)
        return
    # Spread over all kinds of addresses.
    some = len(COMMANDS) * SOME
    for number in range(some):
        yield ADDRESSES[number * len(ADDRESSES) // some], COMMANDS[number % len(COMMANDS)]


def test_no_command_shows_the_secret_of_an_address(tmp_path: Path) -> None:
    assert len(ADDRESSES) >= 200
    shown = []
    for address, command in cases():
        arguments = [word.replace("{}", address) for word in command]
        outcome = call("--debug", *arguments)
        if not kept(outcome):
            shown.append((arguments, outcome))
    assert not shown, "\n".join(f"{arguments}: {outcome}"[-1500:] for arguments, outcome in shown)
    assert files_with_secret(tmp_path) == []


class Hostile(BaseHTTPRequestHandler):
    """Fails, repeating what it was asked; below ``/loop`` it redirects to itself for ever."""

    def do_GET(self) -> None:
        secrets = f"http://user:{SECRET}@127.0.0.1{self.path}?token={SECRET}"
        login = f"Authorization: {self.headers.get('Authorization')}"
        body = f'{{"error_code": "INTERNAL_ERROR", "message": "{secrets} {login}"}}'.encode()
        looping = self.path.startswith("/loop")
        self.send_response(302 if looping else self.status)
        if looping:
            host = self.headers["Host"]
            self.send_header("Location", f"http://user:{SECRET}@{host}{self.path}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def __getattr__(self, name: str) -> Any:
        # Whatever the method is.
        return self.do_GET if name.startswith("do_") else super().__getattribute__(name)

    @property
    def status(self) -> int:
        return 200 if self.path.endswith("/health") else 500

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def hostile_server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("path", ["", "/x?token={}", "/loop", "/loop?api_key={}"])
def test_a_server_that_fails_or_redirects_for_ever_makes_nobody_tell(
    path: str, tmp_path: Path
) -> None:
    on_servers = [command for command in COMMANDS if SETTING in command]
    used = on_servers if LONG else on_servers[:: 2 if path else 1]
    with hostile_server() as port:
        uri = f"http://user:{SECRET}@127.0.0.1:{port}{path.format(SECRET)}"
        for command in used:
            outcome = call("--debug", *(word.replace("{}", uri) for word in command))
            assert kept(outcome), (command, outcome)
            allowed = (0, 3) if command[0] == "clean" else (3,)
            assert outcome.code in allowed or command[0] in ("predict", "register"), (
                command,
                outcome,
            )
    assert files_with_secret(tmp_path) == []


def test_what_causes_our_errors_is_redacted_in_python_too(tmp_path: Path) -> None:
    with hostile_server() as port:
        uri = f"http://user:{SECRET}@127.0.0.1:{port}"
        registry = open_registry(RegistryConfig(uri=uri), tmp_path)
        with pytest.raises(bw.DependencyError) as caught:
            registry.versions()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_whole_run_records_no_secret(tmp_path: Path) -> None:
    workspace, sample = tmp_path / "ws", tmp_path / "raw"
    sample.mkdir()
    generate(sample, baskets=600, seed=3, weeks=6)
    tree = ("--set", "training.models=decision_tree")
    for command in (
        ("run", sample, *SMALL, *tree, "--set", f"business.currency={WITH_PASSWORD[4]}"),
        ("models", "approve", "1", "--why", f"see {WITH_PASSWORD[0]}, {VARIABLES['SHOP_API_KEY']}"),
        ("models", "history"),
        ("models", "show", "1", "--json"),
    ):
        flags = ("--set", f"aws.endpoint_url={WITH_PASSWORD[4]}", "--workspace", workspace)
        outcome = call("--debug", *command, *flags)
        assert outcome.code == 0, outcome
        assert kept(outcome), outcome
    assert files_with_secret(tmp_path) == []
    assert (workspace / "registry" / "registry.db").is_file()
