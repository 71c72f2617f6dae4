"""As many requests wait as are answered in the time that one may wait."""

from __future__ import annotations

import math

import pytest

from basketwise.serving.http.turns import Pace


def paced(seconds: float, interval: float, times: int = 300) -> Pace:
    pace = Pace(seconds)
    for number in range(times):
        pace.ended(others_wait=True, now=100 + number * interval)
    return pace


@pytest.mark.parametrize(
    ("interval", "places"), [(0.001, 16), (0.002, 12), (0.00221, 11), (0.06, 8)]
)
def test_fewer_wait_where_others_take_longer_but_half_of_them_always(
    interval: float, places: int
) -> None:
    assert paced(0.025, interval).places(16) == places


def test_as_many_as_allowed_wait_until_others_did() -> None:
    pace = Pace(0.001)
    assert pace.places(16) == 16
    for number in range(100):
        pace.ended(others_wait=False, now=float(number))
    assert pace.places(16) == 16, "what passes between requests that need not wait tells nothing"


def test_the_pace_is_that_of_the_latest_requests() -> None:
    pace = paced(0.025, 0.06)
    assert pace.places(16) == 8
    for number in range(300):
        pace.ended(others_wait=True, now=200 + number * 0.001)
    assert pace.places(16) == 16


def test_few_places_stay_and_time_may_be_unbounded() -> None:
    assert [paced(0.025, 0.06).places(most) for most in (0, 1, 3)] == [0, 1, 2]
    assert paced(math.inf, 0.06).places(1_000) == 1_000
