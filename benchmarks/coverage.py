"""How often the 95 % intervals contain the truth: ``python -m benchmarks.coverage``.

Each trial draws customers with equally many baskets. A basket is wrong where a normal variable,
of whose variance the customer has the share rho, falls below the quantile of the error. The second
model of a difference is as good as the first; its variables correlate with the first's by 0.7.
"Too high" are lower ends above the truth, "too low" upper ends below it. The width is the mean
width divided by that of the percentile bootstrap of customers, drawn with replacement. Where single
baskets are drawn, nothing is promised of customers whose baskets are alike: that row shows why
customers are drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from basketwise.arrays import Counts, Floats, Labels
from basketwise.evaluation.intervals import Bootstrap, resample
from basketwise.report.types.scores import Interval
from basketwise.training.metrics import macro_f1
from benchmarks.measuring import table

CLASS_SHARES = np.array([0.3, 0.5, 0.2])
CORRELATION = 0.7
COMPARED = 100
"""Trials of which the width is compared."""

SCORES = ("accuracy", "macro-F1", "difference")


@dataclass(frozen=True)
class Case:
    """Customers with so many baskets each, of which the share ``accuracy`` is right."""

    customers: int
    baskets: int
    rho: float
    accuracy: float
    by_customer: bool = True

    @property
    def name(self) -> str:
        """How the table calls it."""
        drawn = "" if self.by_customer else ", baskets drawn"
        return f"{self.customers:,} × {self.baskets}, {self.rho:g}, {self.accuracy:g}{drawn}"


CASES = (
    Case(50, 3, 0.2, 0.90),
    Case(200, 3, 0.2, 0.90),
    Case(200, 3, 0.2, 0.99),
    Case(200, 3, 0.5, 0.99),
    Case(1_000, 5, 0.2, 0.95),
    Case(1_000, 5, 0.5, 0.995),
    Case(1_000, 5, 0.5, 0.999),
    Case(30, 20, 0.5, 0.90),
    Case(200, 5, 0.5, 0.90, by_customer=False),
)


@dataclass(frozen=True)
class Coverage:
    """Of one score's intervals: the shares of trials that miss, by end; mean width, relative."""

    too_high: float
    too_low: float
    width: float

    @property
    def covered(self) -> float:
        """Share of trials whose interval contains the truth."""
        return 1 - self.too_high - self.too_low


def wrong_baskets(
    case: Case, thresholds: Sequence[float], rng: np.random.Generator
) -> list[NDArray[np.bool_]]:
    """Draw which baskets each model gets wrong; the variables of two correlate by 0.7."""
    shape = case.customers, case.baskets

    def latent() -> Floats:
        own = rng.standard_normal((case.customers, 1)) * np.sqrt(case.rho)
        return np.asarray(own + rng.standard_normal(shape) * np.sqrt(1 - case.rho))

    common = latent() * np.sqrt(CORRELATION)
    return [
        (common + latent() * np.sqrt(1 - CORRELATION) < threshold).ravel()
        for threshold in thresholds
    ]


def answers(true: Labels, wrong: NDArray[np.bool_], rng: np.random.Generator) -> Labels:
    """Answer one of the other two classes where it is wrong."""
    shift = np.where(wrong, rng.integers(1, 3, true.size), 0)
    return ((true + shift) % 3).astype(np.int8)


def expected(accuracy: float) -> Counts:
    """Return the confusion matrix that such a model has in the long run, times a million."""
    others = (1 - np.eye(3)) / 2
    shares = accuracy * np.eye(3) + (1 - accuracy) * others
    return np.rint(1_000_000 * CLASS_SHARES[:, None] * shares).astype(np.int64)


def coverage(case: Case, *, trials: int, resamples: int, seed: int = 1) -> dict[str, Coverage]:
    """Simulate; one entry per score."""
    truth = (case.accuracy, float(macro_f1(expected(case.accuracy))), 0.0)
    ends, plain = np.empty((trials, 3, 2)), np.full((trials, 3, 2), np.nan)
    units = np.repeat(np.arange(case.customers), case.baskets)
    threshold = float(ndtri(1 - case.accuracy))
    for trial in range(trials):
        rng = np.random.default_rng((seed, trial))
        true = rng.choice(3, units.size, p=CLASS_SHARES).astype(np.int8)
        wrong = wrong_baskets(case, [threshold, threshold], rng)
        models = {name: answers(true, by, rng) for name, by in zip("ab", wrong, strict=True)}
        resampled = resample(
            true,
            models,
            units if case.by_customer else None,
            Bootstrap(resamples, 0.95, seed=trial),
        )
        intervals: list[Interval] = [
            resampled.accuracy("a"),
            resampled.macro_f1("a"),
            resampled.accuracy_difference("a", "b"),
        ]
        ends[trial] = [(interval["low"], interval["high"]) for interval in intervals]
        if trial < COMPARED:
            plain[trial] = _plain(case, true, models, resamples, rng)
    compared, percentile = (np.diff(by[:COMPARED])[..., 0].mean(axis=0) for by in (ends, plain))
    widths = compared / percentile
    return {
        score: Coverage(
            float((ends[:, k, 0] > truth[k]).mean()),
            float((ends[:, k, 1] < truth[k]).mean()),
            float(widths[k]),
        )
        for k, score in enumerate(SCORES)
    }


def _plain(
    case: Case, true: Labels, models: dict[str, Labels], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the ends of the percentile bootstrap, for comparison."""
    units = np.repeat(np.arange(case.customers), case.baskets)
    if not case.by_customer:
        units = np.arange(units.size)
    tables = []
    for predicted in models.values():
        cells = units * 9 + true.astype(np.int64) * 3 + predicted
        tables.append(np.bincount(cells, minlength=9 * (units[-1] + 1)).reshape(-1, 9))
    number = tables[0].shape[0]
    times = rng.multinomial(number, np.full(number, 1 / number), size=resamples)
    drawn = [(times @ counts).astype(np.int64).reshape(resamples, 3, 3) for counts in tables]
    accuracy = [np.trace(by, axis1=1, axis2=2) / by.sum(axis=(1, 2)) for by in drawn]
    scores = np.stack([accuracy[0], macro_f1(drawn[0]), accuracy[0] - accuracy[1]])
    return np.asarray(np.quantile(scores, [0.025, 0.975], axis=1).T)


def compare(*, trials: int, resamples: int, cases: Sequence[Case] = CASES) -> str:
    """Simulate all cases and return the Markdown table."""
    rows = []
    for case in cases:
        measured = coverage(case, trials=trials, resamples=resamples)
        rows.append(
            (
                case.name,
                *(
                    f"{100 * by.covered:.1f} ({100 * by.too_high:.1f} + {100 * by.too_low:.1f})"
                    for by in measured.values()
                ),
                " / ".join(f"{by.width:.2f}" for by in measured.values()),
            )
        )
    header = (
        "customers × baskets, rho, accuracy",
        *(f"{score}: covered % (too high + too low)" for score in SCORES),
        "width",
    )
    return table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--resamples", type=int, default=1_000)
    parser.add_argument("--case", type=int, help="number of a single row, from 0")
    given = parser.parse_args()
    cases = CASES if given.case is None else CASES[given.case : given.case + 1]
    print(compare(trials=given.trials, resamples=given.resamples, cases=cases))


if __name__ == "__main__":
    main()
