"""Redaction: every secret goes, ordinary text stays letter by letter."""

from __future__ import annotations

import shlex
import string
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketwise.errors import InputError
from basketwise.redaction import redact_chain, redacted, redacted_address, redacted_values
from tests.hostile.addresses import ADDRESSES, HOSTS, PASSWORDS, SCHEMES, SECRET

FORMS: dict[str, Callable[[str], str]] = {
    "alone": str,
    "sentence": "The server at {} failed while reading.".format,
    "quoted": "registry.uri is {!r}.".format,
    "brackets": "error({}), again".format,
    "typed": lambda uri: shlex.join(["basketwise", "--set", f"registry.uri={uri}"]),
    "lines": "before\n{}\nafter".format,
}
ORDINARY = (
    "s3://bucket/a@b.csv",
    "s3://bucket/date=2026-01-01T12:30/x@y.csv",
    "https://example.org/@user/post-1",
    "http://127.0.0.1:5000/x@y",
    "http://host:port or https://host.",
    "http(s)://host[:port], or leave it empty.",
    "At 12:30 http://h:5000 failed; mail ops@example.org",
    '{"a":"http://h:80","b":"ops@h"}',
    "ann@example.com, mailto:ann@example.com, Contact:ann@example.com",
    "git@example.com:org/repo.git",
    r"C:\Users\ann@corp.com\x",
    "D:/data/a@b.csv",
    "file:///home/a@b/x",
    "sqlite:////ws/a@b/registry.db",
    "12:30@shop",
    "COLA:12@1.50/kg",
    "SHOP_WEEK=200607/part-0.parquet",
    "models:/name/1",
    "docker.io/library/python:3.12-slim@sha256:0123abcd",
    "arn:aws:iam::123456789012:role/x",
    "Basic information about the model",
    "Check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, and",
    "page_tokens=4",
    "'http://h/x' 'a@b'",
    "https://h/x?week=200607&b=1",
)


@pytest.mark.parametrize("form", FORMS)
def test_the_secret_of_any_address_is_removed(form: str) -> None:
    made = [f"{scheme}user:{p}@{host}" for scheme, p, host in product(SCHEMES, PASSWORDS, HOSTS)]
    for uri in (*ADDRESSES, *made):
        text = redacted(FORMS[form](uri))
        assert SECRET not in text, uri
        assert redacted(text) == text, uri


def test_a_setting_shows_nothing_before_its_last_at() -> None:
    assert not [uri for uri in ADDRESSES if SECRET in redacted_address(uri)]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text: str) -> None:
    assert redacted(text) == text


NAMES = st.text(string.ascii_letters + string.digits + " @.-_+%#&()äß🧀,;'", max_size=30)
PATHS = st.lists(st.text(string.ascii_letters + "@._-0", min_size=1, max_size=9), max_size=4)


@given(names=st.lists(NAMES, max_size=4), path=PATHS)
@settings(max_examples=200)
def test_names_paths_mails_and_times_are_never_maimed(names: list[str], path: list[str]) -> None:
    for text in (
        "; ".join(names),
        *(f"{root}{'/'.join(['x', *path])}" for root in ("/data/", "C:/", "s3://bucket/", "")),
        f"at 12:30 {' '.join(names)}",
    ):
        assert redacted(text) == text


@given(
    before=NAMES, password=st.text(string.printable.replace("\n", "").replace("\r", ""), max_size=9)
)
@settings(max_examples=200)
def test_any_password_with_the_usual_address_is_removed(before: str, password: str) -> None:
    uri = f"http://user:{SECRET}{password}@host.example:80/x"
    assert SECRET not in redacted(f"{before} {uri}")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("{'authorization': 'Basic dXNlcjpwdw=='}", "{'authorization': '***'}"),
        ("sent Bearer eyJhbGciOi1.x2", "sent Bearer ***"),
        ('{"password": "a b"}', '{"password": "***"}'),
        ("MLFLOW_TRACKING_TOKEN=abc basketwise run", "MLFLOW_TRACKING_TOKEN=*** basketwise run"),
    ],
)
def test_headers_and_parameters_are_masked(text: str, clean: str) -> None:
    assert redacted(text) == clean


def test_variables_are_read_when_a_text_is_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "the answer was a/b+secret1, admin, 100000, folder-of-work"
    assert redacted(text) == text
    monkeypatch.setenv("SHOP_TOKEN", "a/b+secret1")
    monkeypatch.setenv("DB_PASSWORD", "admin")
    monkeypatch.setenv("MAX_TOKEN", "100000")
    monkeypatch.setenv("PWD", "folder-of-work")
    assert redacted(text) == "the answer was ***, admin, 100000, folder-of-work"
    assert redacted("x?y=a%2Fb%2Bsecret1") == "x?y=***"


def test_documents_and_causes_are_redacted() -> None:
    uri = f"http://user:{SECRET}@h"
    assert redacted_values({"a": [uri, 1, None], "b": {"c": uri}}) == {
        "a": ["http://h", 1, None],
        "b": {"c": "http://h"},
    }
    error = RuntimeError(uri, OSError(uri))
    error.__cause__ = ValueError(f"at {uri}")
    redact_chain(error)
    assert SECRET not in repr(error) + repr(error.__cause__)


def test_our_errors_are_redacted_and_printable_when_they_are_made() -> None:
    error = InputError(f"'\x1b[2J' of\nhttp://u:{SECRET}@h", f"One.\nTwo\x9b http://u:{SECRET}@h")
    assert error.headline == r"'\x1b[2J' of\nhttp://h"
    assert error.hint == "One.\nTwo\\x9b http://h"
