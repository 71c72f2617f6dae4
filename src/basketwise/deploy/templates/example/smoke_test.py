#!/usr/bin/env python3
"""Asks a server for its answer to example.json, and compares it with the approved model's.

    BASKETWISE_SERVE_TOKEN=… python3 smoke_test.py http://127.0.0.1:8080

Needs Python alone. Ends with 1 if the server serves another archive or answers otherwise, with 2 if
it does not answer within two minutes, or refuses to.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PATIENCE = float(os.environ.get("SMOKE_TEST_SECONDS", "120"))
TOLERANCE = 1e-9


def main(address: str) -> int:
    """Return the exit code."""
    example = json.loads(Path(__file__).with_name("example.json").read_text("utf-8"))
    try:
        answer = ask(f"{address.rstrip('/')}/predict", example["request"])
    except (OSError, ValueError) as error:
        print(f"{address} does not answer: {error}", file=sys.stderr)
        return 2
    problem = difference(answer, example)
    if problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"{address} serves version {example['version']}, and answers as it did when approved.")
    return 0


def difference(answer: Any, example: Any) -> str:
    """Return what is wrong with an answer; empty if nothing is."""
    served = answer.get("model", {}).get("sha256")
    if served != example["sha256"]:
        return f"It serves sha256 {served}, not {example['sha256']}."
    given = {str(row.get("basket_id")): row for row in answer.get("predictions", [])}
    for expected in example["answer"]:
        row = given.get(expected["basket_id"], {})
        if not all(same(row.get(name), value) for name, value in expected.items()):
            return f"It answers {row}, not {expected}."
    return ""


def ask(url: str, request: object) -> Any:
    """Send a request until it is answered; a server that is starting is asked again."""
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("BASKETWISE_SERVE_TOKEN", "").strip():
        headers["Authorization"] = f"Bearer {token}"
    sent = urllib.request.Request(url, json.dumps(request).encode(), headers)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(sent, timeout=30) as response:  # nosec B310
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 502, 503, 504) or time.monotonic() > end:
                raise
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(min(1, PATIENCE))


def same(given: object, expected: object) -> bool:
    """Whether two values are equal; numbers nearly."""
    if isinstance(expected, float):
        return isinstance(given, int | float) and abs(given - expected) < TOLERANCE
    return str(given) == str(expected)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
