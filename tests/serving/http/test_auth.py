"""Who may ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from basketwise.errors import ConfigError
from basketwise.model.scoring import Model
from basketwise.serving.http.auth import OPEN, VARIABLE, Auth, auth_for, is_loopback
from basketwise.serving.http.limits import Limits
from basketwise.serving.http.served import Current, Served
from basketwise.serving.http.service import Service
from tests.serving.http.client import EXAMPLE, send, serving

TOKEN = "a-token-of-some-length"


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer ", 401),
        ("Bearer \u00e9", 401),
        ("", 401),
        (None, 401),
    ],
)
def test_only_the_token_opens(scorer: Model, sent: str | None, status: int) -> None:
    headers = {} if sent is None else {"Authorization": sent}
    with serving(Service(Current(Served(scorer)), Limits()), auth=Auth(TOKEN)) as port:
        for method, path in (("GET", "/model/info"), ("POST", "/predict"), ("GET", "/metrics")):
            body, kind = (EXAMPLE, {"Content-Type": "application/json"})
            own = (body, kind) if method == "POST" else (None, {})
            answer = send(port, method, path, own[0], **own[1], **headers)
            assert (path, answer[0]) == (path, status)
            if status == 401:
                assert answer[1]["Www-Authenticate"] == "Bearer"
                assert TOKEN.encode() not in answer[2]
                assert b"in the header Authorization, after the word Bearer" in answer[2]
        # What does not exist is no secret, but who asks is not told.
        assert send(port, "GET", "/nope", None, **headers)[0] == (404 if status == 200 else 401)
        for path in OPEN:
            assert send(port, "GET", path, None)[0] == 200


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("192.0.2.7", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_others_reach_all_but_loopback(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone
    if alone:
        assert auth_for(host, None, no_auth=False) == Auth()
    else:
        with pytest.raises(ConfigError, match="could ask the server"):
            auth_for(host, None, no_auth=False)
        assert auth_for(host, None, no_auth=True) == Auth()


def test_the_token_is_of_the_file_or_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert auth_for("::", file, no_auth=False) == Auth(TOKEN)
    monkeypatch.setenv(VARIABLE, "another-token-of-some-length")
    assert auth_for("::", None, no_auth=False) == Auth("another-token-of-some-length")
    assert auth_for("::", file, no_auth=False) == Auth(TOKEN)
    assert "token-of" not in repr(Auth(TOKEN))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"short", "fewer than 16 characters"),
        ("a-token-with-\u00e9-in-it".encode(), "printable ASCII"),
        (b"\xff\xfe", "it is not text"),
    ],
)
def test_a_token_that_is_none_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        auth_for("127.0.0.1", file, no_auth=False)


def test_a_token_that_is_not_wanted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="contradict"):
        auth_for("127.0.0.1", tmp_path / "token", no_auth=True)
