"""Our parsing of lists of objects against botocore's."""

from __future__ import annotations

from typing import Any

import pytest

from basketwise.aws import clients
from basketwise.aws.listing import EVENT, parse_objects
from basketwise.aws.s3 import Bucket
from tests.seaweed import S3Server

USUAL = (
    "<Contents><Key>a</Key><LastModified>2026-02-03T12:00:05.000Z</LastModified>"
    "<ETag>&#34;9d&#34;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


def parsed(*contents: str, status: int = 200) -> tuple[list[dict[str, Any]] | None, str]:
    body = f"<ListBucketResult><Name>b</Name>{''.join(contents)}</ListBucketResult>"
    response: dict[str, Any] = {"status_code": status, "body": body.encode()}
    result: dict[str, Any] = {}
    parse_objects(response, result)
    return result.get("Contents"), response["body"].decode()


@pytest.mark.parametrize(
    "key", ["plain", "ü 価/x", 'a"b', "a&b", "a<b>c", "a%41+b", "a\nb", "a'b", "</Key>"]
)
def test_a_list_says_what_botocore_says(
    s3_server: S3Server, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    ours, theirs = clients.client("s3", s3_server.config), s3_server.client()
    prefix = s3_server.new_prefix()
    for name in (f"{prefix}/{key}", f"{prefix}/x/y", f"{prefix}/z"):
        theirs.put_object(Bucket=s3_server.bucket, Key=name, Body=b"1")
    for more in ({}, {"Delimiter": "/"}, {"MaxKeys": 2}):
        request: Any = {"Bucket": s3_server.bucket, "Prefix": f"{prefix}/", **more}
        answers = [client.list_objects_v2(**request) for client in (ours, theirs)]
        for answer in answers:
            del answer["ResponseMetadata"]
            for item in answer.get("Contents", ()):
                item.pop("StorageClass", None)
                item.pop("Owner", None)
        assert answers[0] == answers[1]
    assert len(Bucket(ours, s3_server.bucket, prefix).listed("")) == 3
    assert ours.meta.events is not theirs.meta.events
    assert EVENT.startswith("before-parse")


def test_the_rest_of_an_answer_is_left_to_botocore() -> None:
    contents, rest = parsed(USUAL, USUAL)
    assert contents is not None
    assert [item["Key"] for item in contents] == ["a", "a"]
    assert (contents[0]["ETag"], contents[0]["Size"]) == ('"9d"', 7)
    assert rest == "<ListBucketResult><Name>b</Name></ListBucketResult>"


@pytest.mark.parametrize(
    "unusual",
    [
        USUAL.replace("<Key>a</Key>", "<Key>a&amp;b</Key>"),
        USUAL.replace("<Size>7</Size>", ""),
        USUAL.replace("000Z", "000+01:00"),
        USUAL.replace("12:00:05", "noon"),
        USUAL.replace(">7<", ">seven<"),
        USUAL.replace("<Contents>", '<Contents kind="x">'),
        "",
    ],
)
def test_an_answer_of_another_form_is_left_to_botocore_as_a_whole(unusual: str) -> None:
    contents, rest = parsed(USUAL if unusual else "", unusual)
    assert contents is None
    assert unusual in rest


def test_an_error_is_left_to_botocore() -> None:
    assert parsed(USUAL, status=404)[0] is None
