from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Semaphore
from typing import Any

import numpy as np
import pytest

from basketwise.model.scoring import Model
from tests.serving.http.client import EXAMPLE, Answer, invoke, send_request, served


def test_a_model_that_scores_is_healthy(port: int) -> None:
    assert send_request(port, "GET", "/ping")[0] == 200


def test_without_a_model_nothing_is_healthy_or_scored() -> None:
    with served(None) as port:
        assert send_request(port, "GET", "/ping")[0] == 503
        status, answer = invoke(port, EXAMPLE)
    assert status == 503
    assert "No model is loaded" in answer["error"]


class Broken:
    """A model that is loaded, and cannot score."""

    classes_ = np.arange(3)

    def predict_proba(self, X: object) -> Any:
        raise RuntimeError("broken")


def test_a_model_that_cannot_score_is_not_healthy(scorer: Model) -> None:
    model: Any = Broken()
    with served(replace(scorer, estimator=model)) as port:
        assert send_request(port, "GET", "/ping")[0] == 503
        status, answer = invoke(port, EXAMPLE)
    assert status == 500
    assert "broken" not in json.dumps(answer)


class Delayed:
    """A model that scores when it is let, or fails."""

    classes_ = np.arange(3)

    def __init__(self, model: Any) -> None:
        self.model, self.let, self.broken = model, Event(), False
        self.waiting = Semaphore(0)
        self.let.set()

    def predict_proba(self, X: object) -> Any:
        self.waiting.release()
        assert self.let.wait(20)
        if self.broken:
            raise RuntimeError("broken")
        return self.model.predict_proba(X)


def test_a_busy_model_is_healthy_and_requests_time_out(scorer: Model) -> None:
    model: Any = Delayed(scorer.estimator)
    with served(replace(scorer, estimator=model), queue=0.1) as port, ThreadPoolExecutor(4) as pool:
        assert invoke(port, EXAMPLE)[0] == 200
        model.let.clear()
        model.waiting = Semaphore(0)
        first = [pool.submit(invoke, port, EXAMPLE) for _ in range(4)]
        for _ in first:
            assert model.waiting.acquire(timeout=20)
        assert send_request(port, "GET", "/ping")[0] == 200
        status, answer = invoke(port, EXAMPLE)
        model.let.set()
        assert (status, answer["error"]) == (503, "Too many requests are waiting.")
        assert [item.result()[0] for item in first] == [200] * 4


def test_a_model_that_fails_to_score_is_unhealthy(scorer: Model) -> None:
    model: Any = Delayed(scorer.estimator)
    with served(replace(scorer, estimator=model)) as port:
        assert send_request(port, "GET", "/ping")[0] == 200
        model.broken = True
        assert invoke(port, b"{")[0] == 400
        assert send_request(port, "GET", "/ping")[0] == 200
        assert invoke(port, EXAMPLE)[0] == 500
        assert send_request(port, "GET", "/ping")[0] == 503
        model.broken = False
        assert send_request(port, "GET", "/ping")[0] == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (EXAMPLE, "application/json"),
        (EXAMPLE, "application/json; charset=UTF-8"),
        (b"PROD_CODE;basket_id;SPEND;QUANTITY\nEXAMPLE;example;0,50;1\n", "text/csv"),
    ],
)
def test_both_types_are_answered_alike(port: int, body: bytes, kind: str) -> None:
    status, answer = invoke(port, body, kind)
    assert status == 200
    (prediction,) = answer["predictions"]
    assert prediction.keys() == {
        *("basket_id", "predicted_sensitivity", "p_low", "p_medium", "p_high"),
        *("known_share", "certainty"),
    }
    assert prediction == invoke(port, EXAMPLE)[1]["predictions"][0]


def test_requests_at_the_same_time_get_their_own_answers(port: int) -> None:
    def item(number: int) -> Answer:
        return invoke(port, EXAMPLE.replace(b"example", f"b{number}".encode()))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(item, range(24)))
    assert [answer["predictions"][0]["basket_id"] for _, answer in answers] == [
        f"b{number}" for number in range(24)
    ]
