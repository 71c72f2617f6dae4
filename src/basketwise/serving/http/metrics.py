"""What Prometheus is told: requests, times, the model, and what it makes of the baskets."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Iterator
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from basketwise.schema import PREDICTED
from basketwise.serving.http.answers import Answer
from basketwise.serving.http.served import Current

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = (0.001, 0.002, 0.004, 0.006, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds of the histograms of times: fine where a request of one basket lies."""


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self, current: Current) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Model(current))

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"basketwise_{name}", text, labels, registry=self.registry)

        self._requests = counter("requests", "Requests.", "route", "code")
        self._baskets = counter("predictions", "Scored baskets.", "version", "label")
        self._lines = counter("lines", "Lines of scored baskets, by a model that knows products.")
        self._unseen = counter("unseen_lines", "Those with products not seen in training.")
        self._rejected = counter("rejected_lines", "Rejected lines.", "reason")
        self._seconds = Histogram(
            "basketwise_request_seconds",
            "Time from a request's head to the end of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._parts = Histogram(
            "basketwise_part_seconds",
            "Time of the parts of a prediction: parse, features (with cleaning), model, write.",
            ("part",),
            buckets=SECONDS,
            registry=self.registry,
        )

    def requested(self, route: str, code: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, str(code)).inc()
        self._seconds.labels(route).observe(seconds)

    def took(self, part: str, seconds: float) -> None:
        """Note how long a part of a prediction took."""
        self._parts.labels(part).observe(seconds)

    def timed(self, part: str) -> AbstractContextManager[None]:
        """Note how long a part of a prediction takes: the block."""
        return self._parts.labels(part).time()

    def answered(self, answer: Answer) -> None:
        """Count what was made of a request's baskets."""
        version = answer.served.version or ""
        for label, number in Count(row[PREDICTED] for row in answer.predictions).items():
            self._baskets.labels(version, label).inc(number)
        self._lines.inc(answer.unseen.lines)
        self._unseen.inc(answer.unseen.unseen_lines)
        for reason, number in answer.rejected.items():
            self._rejected.labels(reason).inc(number)

    def text(self) -> bytes:
        """Return all of them in Prometheus's text format."""
        return generate_latest(self.registry)


class _Model(Collector):
    """Which model is served, and how often it was swapped."""

    def __init__(self, current: Current) -> None:
        self._current = current

    def collect(self) -> Iterator[Metric]:
        served = self._current.get()
        identity = served.identity if served else {}
        labels = {name: value or "" for name, value in identity.items()}
        model = InfoMetricFamily("basketwise_model", "The model that is served.")
        if served:
            model.add_metric([], labels)
        yield model
        yield CounterMetricFamily("basketwise_swaps", "Swaps.", self._current.swaps)
        yield CounterMetricFamily(
            "basketwise_refused_models", "Versions that were not swapped in.", self._current.refused
        )
