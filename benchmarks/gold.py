"""The gold stage alone, step by step: processor time and wall time after the lines are cleaned.

``python -m benchmarks.gold WORKSPACE`` takes the silver of an earlier ``basketwise etl``. The time
of a step contains that of the steps within it, and of what other threads do meanwhile.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from basketwise.memory import pool_memory
from benchmarks.measuring import machine, table

_STEPS = {
    "numbers of the training lines": ("basketwise.etl.gold.index", "put_together"),
    "what weighs a product": ("basketwise.etl.gold.index", "weigh"),
    "index": ("basketwise.etl.gold.index", "learn_index"),
    "learning curve": ("basketwise.etl.gold.index", "_curve"),
    "hidden products": ("basketwise.etl.gold.stage", "hidden_features"),
    "choice of groups": ("basketwise.etl.gold.stage", "choose_groups"),
    "rows": ("basketwise.etl.gold.tables", "write_gold"),
    "rows, of it the two files": ("basketwise.etl.gold.tables", "put_together"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gold", description=__doc__)
    parser.add_argument("workspace", type=Path)
    silver = parser.parse_args().workspace / "silver"
    # As the command line does, before NumPy and Polars are imported.
    pool_memory()
    taken: dict[str, tuple[float, float]] = {}
    for step, (module, name) in _STEPS.items():
        _timed(taken, step, module, name)

    def run(folder: str) -> None:
        from basketwise.config import Config
        from basketwise.etl.gold.stage import run_gold

        gold, scratch = (Path(folder) / name for name in ("gold", "scratch"))
        gold.mkdir()
        scratch.mkdir()
        run_gold(silver, gold, scratch, Config(), lambda *_: None)

    with tempfile.TemporaryDirectory() as folder:
        _measured(taken, "all", run)(folder)
    rows = [(step, f"{taken[step][0]:.2f}", f"{taken[step][1]:.2f}") for step in [*_STEPS, "all"]]
    print(table(("step", "wall s", "CPU s"), rows), machine(), sep="\n\n")


def _timed(taken: dict[str, tuple[float, float]], step: str, module: str, name: str) -> None:
    owner = import_module(module)
    setattr(owner, name, _measured(taken, step, getattr(owner, name)))


def _measured(
    taken: dict[str, tuple[float, float]], step: str, work: Callable[..., Any]
) -> Callable[..., Any]:
    @wraps(work)
    def measured(*given: Any, **named: Any) -> Any:
        wall, cpu = time.perf_counter(), _cpu()
        result = work(*given, **named)
        taken[step] = (time.perf_counter() - wall, _cpu() - cpu)
        return result

    return measured


def _cpu() -> float:
    """Return the processor time of this process and of those that it has waited for, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(own.ru_utime + own.ru_stime for own in used)


if __name__ == "__main__":
    main()
