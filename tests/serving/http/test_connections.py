from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from basketwise.model.scoring import Model
from tests.serving.http.client import EXAMPLE, LIMIT, head, invoke, send_request, served, talk


@pytest.mark.parametrize("kind", ["text/plain", "application/x-parquet", "text/csv; charset=x"])
def test_other_types_are_415(port: int, kind: str) -> None:
    status, answer = invoke(port, EXAMPLE, kind)
    assert status == 415
    assert (
        "application/json, application/jsonlines (one basket a line) or text/csv" in answer["hint"]
    )


def test_a_compressed_body_is_415(port: int) -> None:
    headers = {"Content_Type": "text/csv", "Content_Encoding": "gzip"}
    status, answer = send_request(port, "POST", "/invocations", b"x", **headers)
    assert status == 415
    assert "'gzip'" in answer["error"]


def test_a_malformed_body_is_400_with_the_reason(port: int) -> None:
    assert invoke(port, b"{")[0] == 400
    status, answer = invoke(port, b"BASKET_ID,SPEND\n1,2\n", "text/csv")
    assert status == 400
    assert "PROD_CODE" in answer["error"]


def test_a_large_body_is_413_however_large_it_says_it_is(port: int) -> None:
    at_limit = EXAMPLE + b" " * (LIMIT - len(EXAMPLE))
    assert invoke(port, at_limit)[0] == 200
    status, answer = invoke(port, at_limit + b" ")
    assert status == 413
    assert f"{LIMIT:,} bytes" in answer["hint"]
    headers = {"Content_Type": "text/csv", "Content_Length": "9" * 15}
    assert send_request(port, "POST", "/invocations", None, **headers)[0] == 413
    # h11 takes no more than 20 digits for a number.
    assert talk(port, head(f"Content-Length: {'9' * 4000}")).startswith(b"HTTP/1.1 400 ")


def test_a_large_body_that_is_sent_all_the_same_does_not_hide_the_answer(port: int) -> None:
    assert invoke(port, b" " * 30_000_000)[0] == 413


def test_a_body_of_unknown_length_is_411(port: int) -> None:
    headers = {"Content_Type": "text/csv", "Transfer_Encoding": "chunked"}
    assert send_request(port, "POST", "/invocations", b"0\r\n\r\n", **headers)[0] == 411
    # Both lengths: which of them is meant, two servers may see differently.
    headers["Content_Length"] = "5"
    assert send_request(port, "POST", "/invocations", b"0\r\n\r\n", **headers)[0] == 411


@pytest.mark.parametrize("lines", [["-1"], ["+5"], ["x"], ["5", "6"]])
def test_an_invalid_length_is_400(port: int, lines: list[str]) -> None:
    result = talk(port, head(*(f"Content-Length: {line}" for line in lines)), b"12345", end=True)
    assert result.startswith(b"HTTP/1.1 400 ")
    # h11 refuses it itself.
    assert b"The request is not valid HTTP: " in result


def test_a_body_that_ends_too_early_is_400(port: int) -> None:
    result = talk(port, head("Content-Length: 50"), b"{", end=True)
    assert result.startswith(b"HTTP/1.1 400 ")
    assert b"ends too early" in result


def test_a_body_that_trickles_is_408(scorer: Model) -> None:
    with served(scorer, body_seconds=1.0) as port:
        result = talk(port, head("Content-Length: 50"), *[b" "] * 30, pause=0.05, end=True)
    assert result.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_expects_100_sends_no_refused_body(port: int) -> None:
    expect = "Expect: 100-continue"
    large = talk(port, head(f"Content-Length: {LIMIT + 1}", expect), end=True)
    assert large.startswith(b"HTTP/1.1 413 ")
    wanted = head(f"Content-Length: {len(EXAMPLE)}", expect, "Connection: close")
    result = talk(port, wanted, EXAMPLE)
    assert result.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


def test_an_unread_body_is_not_parsed_as_a_request(port: int) -> None:
    inner = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
    sent = f"GET /ping HTTP/1.1\r\nHost: here\r\nContent-Length: {len(inner)}\r\n\r\n".encode()
    result = talk(port, sent, inner, end=True)
    assert result.startswith(b"HTTP/1.1 200 ")
    assert result.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    # h11 knows neither as HTTP.
    [(b"P\x1b[2J /ping HTTP/1.1\r\n\r\n", b"400"), (b'GET " } HTTP/1.1\r\n\r\n', b"400")],
)
def test_unknown_requests_are_refused_in_json_too(
    port: int, sent: bytes, status: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    result = talk(port, sent, end=True)
    assert status in result.partition(b"\r\n")[0]
    assert b"application/problem+json" in result
    assert json.loads(result.partition(b"\r\n\r\n")[2])["detail"]
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/x", 404),
        ("GET", "/ping/", 404),
        ("GET", "/ping/x", 404),
        # Starlette knows the path, and says which methods it has.
        ("POST", "/ping", 405),
        ("GET", "/invocations", 405),
    ],
)
def test_other_paths_and_methods_are_refused(
    port: int, method: str, path: str, status: int
) -> None:
    assert send_request(port, method, path, b"" if method == "POST" else None)[0] == status


def test_one_connection_can_ask_again_and_again(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(3):
        connection.request("POST", "/invocations", EXAMPLE, {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200
        response.read()
    assert connection.sock is not None
    connection.close()


def test_a_client_that_ends_its_side_at_once_has_its_answer(port: int) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: talk(port, request, end=True), range(200)))
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 200"}
