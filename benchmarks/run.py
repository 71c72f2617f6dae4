"""The main job from raw lines to the export: ``python -m benchmarks.run [--data DIR]``.

Prints what ``basketwise run`` took, and what it reports of itself.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data import add_data_options, given_or_made
from benchmarks.etl import add_options
from benchmarks.measuring import CommandFailedError, basketwise, machine, measure, table, warm_up

_LONGEST = 60


def whole_run(data: Path, *, settings: list[str], repeats: int) -> str:
    """Measure ``basketwise run`` on one folder and return two Markdown tables."""
    warm_up(data)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        command = basketwise(
            "run", "--data", data, "--workspace", workspace, "--json", settings=settings
        )
        run = measure(command, repeats=repeats, fresh=workspace)
    cost = table(
        ("raw lines to the export", "wall s", "CPU s", "peak MB"),
        [("`basketwise run`", f"{run.wall:.1f}", f"{run.cpu:.1f}", f"{run.peak_mb:.0f}")],
    )
    facts = [(f"`{name}`", value) for name, value in _facts(run.stdout)]
    return f"{cost}\n\n{table(('it reports', ''), facts)}" if facts else cost


def _facts(printed: str) -> list[tuple[str, str]]:
    """Return the single values of a JSON object by their dotted names; long texts are left out."""
    try:
        report = json.loads(printed)
    except json.JSONDecodeError:
        return []
    return [(name, text) for name, text in _leaves("", report) if len(text) <= _LONGEST]


def _leaves(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, float):
        yield name, f"{value:.4g}"
    elif isinstance(value, str | int):
        yield name, str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_options(parser)
    add_options(parser)
    given = parser.parse_args()
    with given_or_made(given) as data:
        print(whole_run(data, settings=given.settings, repeats=given.repeats))
    print(f"\n{machine()}")


if __name__ == "__main__":
    try:
        main()
    except CommandFailedError as error:
        raise SystemExit(str(error)) from None
