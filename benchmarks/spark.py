"""ETL here and on Spark: ``python -m benchmarks.spark [--baskets N] [--memory 2g]``.

Starts a master and workers of one core each on this machine, and runs ETL on the same files with
the local engine, with one worker and with two. Each worker, its JVM and its Python, keeps to a core
of its own, which is checked; the driver and the master have what is left of all cores. Prints the
seconds of each part, how much quicker two workers are than one, and what Spark costs. The features
of all of them are compared before a figure is printed. 530,000 baskets are 3.4 million lines.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.cluster import running_cluster
from benchmarks.data import DONE, sample
from benchmarks.measuring import CommandFailedError, machine, python, table, warm_up

LOCAL = "local"
PARTS = ("session", "inputs", "reading", "cleaning", "learning", "features")
"""What a job tells the seconds of. ``session``: starting Spark, its executors, and in each a Python
with the package. ``inputs`` are digests of files; ``learning`` is all from silver to the rows."""


def compare(data: Path, *, workers: list[int], memory: str) -> str:
    """Measure ETL with the local engine and with so many workers; return the Markdown table."""
    warm_up(data)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        rows = {"local engine": _job(data, root / LOCAL, LOCAL, {})}
        for number in workers:
            settings = {"driver_memory": memory}
            with running_cluster(root / f"cluster-{number}", number, **settings) as cluster:
                name = f"Spark, {number} worker{'s' if number > 1 else ''} of one core"
                workspace = root / f"spark-{number}"
                told = _job(data, workspace, cluster.url, cluster.environment())
            if told["pinned"] != number:
                raise CommandFailedError(f"{name}: they do not keep to a core of their own each.")
            rows[name] = told
            for file in ("train_features.parquet", "test_features.parquet"):
                own, expected = (f / "gold" / file for f in (workspace, root / LOCAL))
                if own.read_bytes() != expected.read_bytes():
                    raise CommandFailedError(f"{name}: {file} is not that of the local engine.")
    header = ("ETL", *PARTS, "all but session", "driver's peak MB", "its JVM's")
    text = table(header, [(name, *_cells(told)) for name, told in rows.items()])
    first, *others = list(rows.values())[1:]
    for number, told in zip(workers[1:], others, strict=True):
        quicker = _seconds(first) / _seconds(told)
        whole = (first["session"] + _seconds(first)) / (told["session"] + _seconds(told))
        cost = _seconds(told) / _seconds(rows["local engine"])
        text += (
            f"\n\n{workers[0]} → {number} workers: {quicker:.2f} times as fast "
            f"({whole:.2f} with the session); {cost:.1f} times the local engine's time."
        )
    return text


def _cells(told: dict[str, float]) -> list[str]:
    seconds = [f"{told.get(part, 0):.1f}" for part in PARTS]
    return [*seconds, f"{_seconds(told):.1f}", f"{told['peak']:.0f}", f"{told.get('jvm', 0):.0f}"]


def _seconds(told: dict[str, float]) -> float:
    return sum(told.get(part, 0) for part in PARTS[1:])


def _job(data: Path, workspace: Path, url: str, environment: dict[str, str]) -> dict[str, float]:
    """Run ETL in a process of its own, and return what it tells."""
    command = python("benchmarks.spark", "--data", data, "--job", url, "--out", workspace)
    print(f"running: {' '.join(command)}", file=sys.stderr, flush=True)
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment
    )
    if done.returncode:
        raise CommandFailedError(f"{' '.join(command)}\n{done.stderr[-2_000:]}")
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def job(data: Path, workspace: Path, url: str) -> dict[str, float]:
    """Run ETL in this process; return the seconds of its parts, and the peak memory (MB)."""
    from unittest import mock

    from basketwise.config import Config
    from basketwise.engines.spark import gold as on_spark
    from basketwise.engines.spark import platform as platforms
    from basketwise.etl.gold import stage, tables
    from basketwise.platforms.local import LocalPlatform
    from basketwise.platforms.protocol import EtlJob

    told: dict[str, float] = {}
    last = time.perf_counter()

    def stop(part: str, done: int = 1, total: int = 1) -> None:
        nonlocal last
        now = time.perf_counter()
        part = "learning" if part == "product index" else part
        told[part] = told.get(part, 0) + now - last
        last = now

    silver, gold, scratch = (workspace / name for name in ("silver", "gold", "scratch"))
    for folder in (silver, gold, scratch):
        folder.mkdir(parents=True)

    def after_learning(write: Any) -> Any:
        def timed(*arguments: Any) -> Any:
            stop("learning")
            return write(*arguments)

        return timed

    with contextlib.ExitStack() as stack:
        platform = LocalPlatform()
        if url != LOCAL:
            platform = stack.enter_context(platforms.spark_platform(url))
            told["pinned"] = _warmed_up(platform.session)
        timed = after_learning(on_spark.write_gold)
        stack.enter_context(mock.patch.object(platforms, "write_gold", timed))
        timed = after_learning(tables.write_gold)
        defaults = {**(stage.run_gold.__kwdefaults__ or {}), "write_rows": timed}
        stack.enter_context(mock.patch.object(stage.run_gold, "__kwdefaults__", defaults))
        stop("session")
        inputs = platform.inputs(str(data), Config())
        stop("inputs")
        platform.etl(EtlJob(str(data), silver, gold, scratch, inputs=inputs), Config(), stop)
        stop("features")
        told["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        told["jvm"] = _peak_of_children()
    return told


def _warmed_up(session: Any) -> int:
    """Start a Python in each executor; return how many there are if each has a core of its own."""
    from basketwise.engines.spark.frames import documents
    from basketwise.engines.spark.tables import numbered

    told = documents(numbered(session, session.sparkContext.defaultParallelism), _cores)
    cores = {tuple(own) for document in told for own in document["cores"]}
    number = len({document["executor"] for document in told})
    return number if len(cores) == number == sum(map(len, cores)) else 0


def _cores(batches: Any) -> Any:
    """Tell on which cores this task's process, and those that it comes from, may run."""
    from basketwise.etl import gold  # noqa: F401

    chain = [os.getpid()]
    while "CoarseGrainedExecutorBackend" not in Path(f"/proc/{chain[-1]}/cmdline").read_text():
        status = Path(f"/proc/{chain[-1]}/status").read_text()
        chain.append(int(status.partition("PPid:")[2].split()[0]))
    # Until each executor has a task.
    time.sleep(1)
    yield {"executor": chain[-1], "cores": [sorted(os.sched_getaffinity(pid)) for pid in chain]}


def _peak_of_children() -> float:
    """Return the peak memory (MB) of the largest process that this one started, as far as known."""
    peaks = [0.0]
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            facts = dict(line.split(":", 1) for line in status.read_text().splitlines())
            if int(facts["PPid"]) == os.getpid() and "VmHWM" in facts:
                peaks.append(float(facts["VmHWM"].split()[0]) / 1e3)
    return max(peaks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of CSV files (default: made up)")
    parser.add_argument("--baskets", type=int, default=530_000, help="how many to make up")
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--memory", default="1g", help="of the driver's JVM")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        print(json.dumps(job(given.data, given.out, given.job)))
        return
    with tempfile.TemporaryDirectory() as folder:
        data = given.data
        if data is None:
            data = Path(folder) / "raw"
            sample(data, baskets=given.baskets, weeks=given.weeks, seed=1, compress=False)
            (data / DONE).unlink()
        print(compare(data, workers=given.workers, memory=given.memory))
    print(f"\n{machine()}")


if __name__ == "__main__":
    try:
        main()
    except CommandFailedError as error:
        raise SystemExit(str(error)) from None
