"""Intervals of ten models on one test part: 2,000 resamples of baskets, or of customers.

``python -m benchmarks.intervals`` measures each case as a process of its own, on one core. The easy
one draws single baskets and the models are mostly right: few kinds of baskets to count. The hard
ones have many errors, and customers of whom hardly two are alike. "All intervals" are every model's
accuracy, macro-F1 and F1 by class, and its two differences from the first model. The process's
start and imports are in its peak memory, not in the seconds.
"""

from __future__ import annotations

import argparse
import json
import time

from benchmarks.measuring import CommandFailedError, machine, measure, python, table

_MODELS = 10
_CASES = {
    "easy": "baskets, 3 % wrong",
    "errors": "baskets, 40 % wrong",
    "customers": "customers, 40 % wrong",
    "large": "customers with 1 to 30 baskets, 40 % wrong",
}


def compare(*, resamples: int, repeats: int) -> str:
    """Measure all cases and return the Markdown table."""
    rows = []
    for case, name in _CASES.items():
        run = measure(
            python("benchmarks.intervals", "--case", case, "--resamples", str(resamples)),
            repeats=repeats,
        )
        document = json.loads(run.stdout)
        rows.append(
            (
                name,
                f"{document['baskets']:,}",
                f"{document['units']:,}",
                f"{document['resample']:.2f}",
                f"{document['intervals']:.2f}",
                f"{run.peak_mb:.0f}",
            )
        )
    drawn = f"{resamples:,} resamples, {_MODELS} models"
    return table((drawn, "baskets", "units", "resampling s", "all intervals s", "peak MB"), rows)


def _measure_case(case: str, resamples: int) -> dict[str, float]:
    """Time one case in this process."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    from basketwise.evaluation.intervals import Bootstrap, resample

    rng = np.random.default_rng(1)
    customers = 40_000
    units = None
    if case == "customers":
        # A basket for each, and the others wherever they fall: 1 to about 10.
        units = np.concatenate([np.arange(customers), rng.integers(0, customers, 60_000)])
    elif case == "large":
        units = np.repeat(np.arange(customers), rng.integers(1, 31, customers))
    baskets = 100_000 if units is None else units.size
    wrong = 0.03 if case == "easy" else 0.4
    true = rng.choice(3, baskets, p=[0.3, 0.5, 0.2]).astype(np.int8)
    predicted = {}
    for k in range(_MODELS):
        shift = np.where(rng.random(baskets) < wrong, rng.integers(1, 3, baskets), 0)
        predicted[f"model {k}"] = ((true + shift) % 3).astype(np.int8)

    with threadpool_limits(1):
        started = time.perf_counter()
        resampled = resample(true, predicted, units, Bootstrap(resamples, 0.95, seed=1))
        drawn = time.perf_counter()
        for name in predicted:
            resampled.accuracy(name)
            resampled.macro_f1(name)
            resampled.class_f1(name)
            resampled.accuracy_difference("model 0", name)
            resampled.f1_difference("model 0", name)
        done = time.perf_counter()
    return {
        "baskets": baskets,
        "units": resampled.units,
        "resample": drawn - started,
        "intervals": done - drawn,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resamples", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=1, help="the quickest run counts")
    parser.add_argument("--case", choices=tuple(_CASES), help="measure this one in this process")
    given = parser.parse_args()
    if given.case:
        print(json.dumps(_measure_case(given.case, given.resamples)))
        return
    print(compare(resamples=given.resamples, repeats=given.repeats))
    print(f"\n{machine()}")


if __name__ == "__main__":
    try:
        main()
    except CommandFailedError as error:
        raise SystemExit(str(error)) from None
