from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import h11
import pytest

from basketwise.model.scoring import Model
from basketwise.serving.http.bodies import LARGE, PART, Rest, large_length, without_body
from tests.serving.http.client import EXAMPLE, LIMIT, head, served, talk

BODY = EXAMPLE[:-1] + b" " * (4 * PART) + b"}"
"""A basket in more bytes than are handed over at a time."""

NEXT = b"GET /ping HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def roomy(scorer: Model) -> Iterator[int]:
    """A server that takes large bodies, on this port."""
    with served(scorer, body=8 * PART, body_seconds=2.0) as port:
        yield port


def answers(result: bytes) -> list[str]:
    """Return the status of each answer on a connection."""
    parts = result.split(b"HTTP/1.1 ")[1:]
    return [part[:3].decode() for part in parts]


def stated(body: bytes, *lines: str) -> bytes:
    return head(f"Content-Length: {len(body)}", *lines)


def test_the_same_connection_takes_large_and_small_bodies_in_turn(roomy: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", roomy, timeout=30)
    read = []
    for body in (BODY, EXAMPLE, BODY, BODY, EXAMPLE):
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200
        read.append(json.loads(response.read())["predictions"])
    assert connection.sock is not None
    connection.close()
    assert all(own == read[0] and len(own) == 1 for own in read)


@pytest.mark.parametrize("size", [LARGE - 1, PART, 700_001])
def test_a_body_may_come_in_pieces_of_any_size(roomy: int, size: int) -> None:
    pieces = [BODY[start : start + size] for start in range(0, len(BODY), size)]
    result = talk(roomy, stated(BODY, "Connection: close"), *pieces, pause=0.001)
    assert answers(result) == ["200"]


def test_a_body_may_come_with_its_head_and_with_the_next_request(roomy: int) -> None:
    assert answers(talk(roomy, stated(BODY) + BODY + NEXT)) == ["200", "200"]
    assert answers(talk(roomy, stated(BODY) + BODY[:9], BODY[9:] + NEXT)) == ["200", "200"]


def test_a_large_body_that_ends_too_early_is_400(roomy: int) -> None:
    for sent in (BODY[:9], BODY[: PART + 9], BODY[:-1]):
        result = talk(roomy, stated(BODY), sent, end=True)
        assert answers(result) == ["400"]
        assert f"It has {len(sent):,} of the {len(BODY):,} bytes".encode() in result


def test_a_large_body_that_trickles_is_408(roomy: int) -> None:
    result = talk(roomy, stated(BODY), BODY[:LARGE], *[b" "] * 60, pause=0.05, end=True)
    assert answers(result) == ["408"]


def test_a_client_may_wait_until_its_large_body_is_wanted(roomy: int) -> None:
    result = talk(roomy, stated(BODY, "Expect: 100-continue", "Connection: close"), BODY)
    assert answers(result) == ["100", "200"]


def test_a_refused_large_body_is_no_request(roomy: int) -> None:
    inner = NEXT * 9_999
    assert answers(talk(roomy, stated(inner, "Content-Encoding: gzip"), inner)) == ["415"]
    result = talk(roomy, stated(inner).replace(b"POST", b"PUT"), inner, NEXT)
    assert answers(result) == ["405"]


def test_a_refused_body_that_does_not_end_ends_the_connection(
    roomy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("basketwise.serving.http.guard.LINGER", 0.1)
    refused = stated(BODY, "Content-Encoding: gzip")
    assert answers(talk(roomy, refused, BODY[:LARGE])) == ["415"]


def test_old_clients_have_their_answer_and_no_connection_after_it(roomy: int) -> None:
    sent = stated(BODY).replace(b"HTTP/1.1", b"HTTP/1.0")
    result = talk(roomy, sent, BODY)
    assert answers(result) == ["200"]
    assert b"connection: close" in result.lower()


def test_a_body_in_chunks_and_small_ones_are_left_to_h11() -> None:
    assert large_length([(b"content-length", str(LARGE).encode())]) == LARGE
    assert large_length([(b"content-length", str(LIMIT).encode())]) == 0
    assert large_length([(b"content-length", b"999999"), (b"transfer-encoding", b"chunked")]) == 0
    assert large_length([]) == 0


@pytest.mark.parametrize(
    ("version", "connection", "state"),
    [("1.1", b"", h11.DONE), ("1.1", b"close", h11.MUST_CLOSE), ("1.0", b"", h11.MUST_CLOSE)],
)
def test_a_request_is_over_but_for_its_body(version: str, connection: bytes, state: type) -> None:
    headers = [(b"host", b"here"), (b"content-length", b"999999"), (b"expect", b"100-continue")]
    headers += [(b"connection", connection)] if connection else []
    own = without_body("POST", version, headers)
    assert own.their_state is state
    assert not own.they_are_waiting_for_100_continue


def test_pieces_are_joined_in_order_and_a_lone_one_is_not_copied() -> None:
    rest = Rest()
    rest.missing = 5
    piece = b"ab"
    assert rest.take(piece) == b""
    assert not rest.is_part
    assert rest.joined(bytearray()) is piece
    assert rest.take(b"c") == b""
    assert rest.take(b"deGET") == b"GET"
    assert rest.is_part
    assert rest.joined(b"x") == b"xcde"
    assert rest.joined(b"") == b""
