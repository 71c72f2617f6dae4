"""Scoring in process and in batch: one basket, and many.

``python -m benchmarks.scoring --model model.tar.gz`` scores made-up lines with a trained model. One
basket is a list of dictionaries that goes in raw and comes out as probabilities; many are a data
frame in process, and a file through the weekly partitions of the batch path.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measuring import CommandFailedError, machine, table

_CALLS = 300


def compare(model_path: Path, *, baskets: int) -> str:
    """Measure and return the Markdown table."""
    import basketwise as bw
    from basketwise.config import Config
    from basketwise.serving.batch import predict

    model = bw.load(model_path)
    few = bw.sample(baskets=100, seed=11)
    one = few.filter(few["BASKET_ID"] == few["BASKET_ID"][0])
    first = one.to_dicts()
    seconds = _times(lambda: model.predict_proba(first))
    framed = _times(lambda: model.predict_proba(one))
    compiled = model.compiled
    plain = _times(lambda: compiled.score(first)) if compiled else [float("nan")]
    lines = bw.sample(baskets=baskets, seed=11)
    started = time.perf_counter()
    scores = model.predict(lines)
    in_process = time.perf_counter() - started
    with TemporaryDirectory() as folder:
        data, out = Path(folder) / "lines.parquet", Path(folder) / "scores.parquet"
        lines.write_parquet(data)
        started = time.perf_counter()
        predict(str(data), out, model, Config(), lambda *_: None)
        in_batch = time.perf_counter() - started
    rows = [
        (f"one basket of {len(first)} lines, median", f"{statistics.median(seconds) * 1e3:.2f} ms"),
        ("the same, 99 % of calls", f"{sorted(seconds)[int(_CALLS * 0.99)] * 1e3:.2f} ms"),
        ("the same, as plain values", f"{statistics.median(plain) * 1e3:.2f} ms"),
        ("the same, as a frame", f"{statistics.median(framed) * 1e3:.1f} ms"),
        (f"{scores.height:,} baskets, a frame in process", f"{in_process:.2f} s"),
        ("the same, a file in batch", f"{in_batch:.2f} s"),
        ("frame : batch", f"{in_process / in_batch:.2f}"),
    ]
    return table(("scoring", "time"), rows)


def _times(call: Callable[[], object]) -> list[float]:
    """Return the seconds that each of many calls takes."""
    seconds = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a model.tar.gz")
    parser.add_argument("--baskets", type=int, default=100_000)
    given = parser.parse_args()
    print(compare(given.model, baskets=given.baskets))
    print(f"\n{machine()}")


if __name__ == "__main__":
    try:
        main()
    except CommandFailedError as error:
        raise SystemExit(str(error)) from None
