"""Imports between the rooms (folders and root modules) of the package point downwards only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import basketwise
from basketwise import plugins

ROOT = Path(basketwise.__file__).parent

LAYERS = (
    ("aws",),
    ("cli",),
    ("api", "cleanup", "deploy", "doctor"),
    ("run",),
    ("engines",),
    ("platforms", "serving"),
    ("registry",),
    ("evaluation",),
    ("report",),
    ("model",),
    ("estimators", "explain", "proposal", "training"),
    ("etl",),
    ("features",),
    ("artifact", "sampling", "settings", "storage", "template"),
    ("config", "pieces", "processes", "provenance", "scratch", "tables"),
    ("arrays", "candidates", "columns", "digests", "disk", "files", "locking", "plugins"),
    ("clock", "concurrency", "errors", "importing", "memory", "notices", "progress", "schema"),
    ("terminal",),
    ("redaction",),
)
"""From top to bottom. A room imports from lower layers alone, nothing from its own layer."""

ETL = ("raw", "lines", "silver", "gold")
"""The rooms of ETL, in the order in which data passes through them; none knows of a later one."""

FACES = {"", "__main__"}
"""What names the others for those outside: ``basketwise`` itself, and ``python -m basketwise``."""


def modules() -> dict[str, Path]:
    """Return each module's file by its name below ``basketwise``; a package's own is its name."""
    named = {}
    for file in ROOT.rglob("*.py"):
        parts = file.relative_to(ROOT).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return named


MODULES = modules()


def imported(module: str) -> Iterator[str]:
    """Yield the modules of the package that a module imports, inside its functions too."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, inner = name.partition(".")
            if package == "basketwise":
                yield inner if inner in MODULES else inner.rpartition(".")[0]


def room(module: str) -> str:
    return module.partition(".")[0]


@cache
def imports() -> dict[str, list[str]]:
    """Return the modules that each module imports."""
    return {module: sorted(set(imported(module)) - {module}) for module in MODULES}


LEVEL = {name: level for level, layer in enumerate(reversed(LAYERS)) for name in layer}


def upwards() -> set[tuple[str, str]]:
    """Return module and room of every import that does not point to a lower layer."""
    arrows = (
        (module, room(other))
        for module, others in imports().items()
        for other in others
        if room(module) not in FACES and room(other) not in {room(module), ""}
    )
    return {(module, to) for module, to in arrows if LEVEL[to] >= LEVEL[room(module)]}


def test_every_room_has_its_layer() -> None:
    assert {room(module) for module in MODULES} - FACES <= LEVEL.keys()


def test_imports_point_to_lower_layers() -> None:
    assert upwards() == set()


def test_etl_knows_nothing_of_what_comes_later() -> None:
    def part(module: str) -> int | None:
        first, _, rest = module.partition(".")
        name = rest.partition(".")[0]
        return ETL.index(name) if first == "etl" and name in ETL else None

    passages = (
        (module, other, part(module), part(other))
        for module, others in imports().items()
        for other in others
    )
    ahead = {
        (module, other)
        for module, other, here, there in passages
        if here is not None and there is not None and there > here
    }
    assert ahead == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: {to for to in others if to} for module, others in imports().items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_architecture_draws_the_layers() -> None:
    page = ROOT.parents[1] / "docs/explanation/architecture.md"
    drawing = "\n".join("  ".join(layer) for layer in LAYERS)
    assert f"```text\n{drawing}\n```\n" in page.read_text(encoding="utf-8"), drawing


CLOUD = re.compile(r"(import|from) (boto3|botocore|s3transfer|mypy_boto3)|basketwise\.aws\b")


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) != "aws"])
def test_only_the_table_of_plug_ins_names_aws(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8")
    assert module == "plugins" or not CLOUD.search(text)


SPARK = re.compile(r"(import|from) (pyspark|py4j)|basketwise\.engines\b")


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) != "engines"])
def test_only_the_table_of_plug_ins_names_spark(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if ":func:" not in line]
    assert module == "plugins" or not SPARK.search("\n".join(code))


def test_every_plug_in_can_be_loaded() -> None:
    tables = [table for name, table in vars(plugins).items() if name.isupper()]
    entries = [entry for table in tables if isinstance(table, dict) for entry in table.values()]
    entries = [entry[0] if isinstance(entry, tuple) else entry for entry in entries]
    assert entries
    assert all(callable(plugins.load(entry)) for entry in entries)
