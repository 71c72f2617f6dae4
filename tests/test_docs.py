"""The documentation against the code: links, commands, settings, features, reasons, files."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import annotated_types as bounds
import click
import pytest
from click.testing import CliRunner
from pydantic.fields import FieldInfo

import basketwise
from basketwise.cli import SPOKEN, cli
from basketwise.config import Config, Section
from basketwise.etl.gold.metadata import Metadata
from basketwise.etl.raw.records import MALFORMED
from basketwise.features.groups import columns_of
from basketwise.features.product_index.table import COLUMNS as INDEX_COLUMNS
from basketwise.plugins import COMMANDS
from basketwise.report.types.document import Report
from basketwise.schema import FEATURE_GROUPS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "basketwise"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
CALL = re.compile(r"\bbasketwise((?: +[^\s`|;&>]+)+)")
OPTION = re.compile(r"`(--?[A-Za-z][a-z-]*)")
REASON_NAME = re.compile(r"[a-z]+(_[a-z0-9]+)+")
SOURCE_FILE = re.compile(r"\.ci/run|(?:[a-z_]+/)+[a-z_]+\.py|tests/(?:[a-z_]+/)*")
FILE_ENDINGS = {"json", "db", "py", "md", "yaml"}
MACHINE_PATH = re.compile(r"(?<![\w.$:/])/(?:tmp|work|root|home|Users|mnt|opt)\b")

each_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    return INLINE.sub("", FENCE.sub("", text))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    result: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        repeats = sum(other == anchor or other.startswith(f"{anchor}-") for other in result)
        result.add(f"{anchor}-{repeats}" if anchor in result else anchor)
    return result


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Give each relative link: as written, the file it names, the anchor or ''."""
    for target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield target, (page.parent / path).resolve() if path else page, anchor


def section(name: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of any level."""
    _, separator, after = read(name).partition(f"\n{heading}\n")
    assert separator, f"{name} lacks {heading!r}"
    return re.split(r"^#", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> Iterator[list[str]]:
    """Give the cells of each row of the tables; headers and rules are left out."""
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        rule = re.fullmatch(r"[|: -]+", line)
        if line.startswith("|") and not rule and not following.startswith("|---"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def first_names(text: str) -> list[str]:
    return [name for cells in rows(text) for name in INLINE.findall(cells[0])]


# --- links -------------------------------------------------------------------------------------


@each_page
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = [
        target
        for target, path, anchor in links(page)
        if not path.exists() or (anchor and anchor not in anchors(path))
    ]
    assert not broken


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        waiting.extend(path for _, path, _ in links(page))
    assert set(PAGES) - reached == set()


def test_the_index_lists_every_page() -> None:
    listed = {path for _, path, _ in links(DOCS / "index.md")}
    assert set(DOCS.rglob("*.md")) - listed == {DOCS / "index.md"}


def test_decisions_are_numbered_through() -> None:
    numbers = [path.name[:4] for path in sorted((DOCS / "decisions").glob("*.md"))]
    assert numbers == [f"{n:04d}" for n in range(1, len(numbers) + 1)]


@each_page
def test_no_page_shows_a_path_of_somebodys_machine(page: Path) -> None:
    assert not MACHINE_PATH.findall(page.read_text(encoding="utf-8"))


def test_the_picture_of_the_report_is_small() -> None:
    assert (DOCS / "images" / "report.png").stat().st_size < 300_000


def test_the_changelog_knows_this_version() -> None:
    assert f"## [{basketwise.__version__}]" in read("CHANGELOG.md")


@each_page
def test_files_of_the_checkout_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = [code for code in INLINE.findall(FENCE.sub("", text)) if SOURCE_FILE.fullmatch(code)]
    missing = [name for name in named if not any((at / name).exists() for at in (ROOT, SOURCE))]
    assert not missing


def test_the_architecture_lists_the_folders_of_the_source() -> None:
    text = section("docs/explanation/architecture.md", "## Folders")
    packages = {f"{path.parent.name}/" for path in SOURCE.glob("*/__init__.py")}
    assert set(first_names(text)) == packages


@each_page
def test_python_in_the_documentation_imports_what_is_there(page: Path) -> None:
    for language, body in FENCE.findall(page.read_text(encoding="utf-8")):
        if language != "python":
            continue
        for node in ast.walk(ast.parse(body)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("basketwise"):
                module = importlib.import_module(node.module or "")
                assert all(hasattr(module, alias.name) for alias in node.names), node.module


# --- commands ----------------------------------------------------------------------------------


def commands(group: click.Group = cli, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


ALL_COMMANDS = dict(commands())
GROUPS = {
    " ".join(words[:end]) for words in map(str.split, ALL_COMMANDS) for end in range(1, len(words))
}
HELP_OPTIONS = {"-h", "--help"}


def options(command: click.Command) -> set[str]:
    return {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


def shared_options() -> set[str]:
    return set.intersection(*(options(command) for command in ALL_COMMANDS.values()))


def calls(text: str) -> Iterator[list[str]]:
    """Give the words after ``basketwise`` of every call, in code blocks and in inline code."""
    blocks = [body for language, body in FENCE.findall(text) if language not in ("python", "pycon")]
    inline = INLINE.findall(FENCE.sub("", text))
    for code in (*blocks, *inline):
        for match in CALL.findall(re.sub(r"\\\n\s*", " ", code)):
            yield match.split()


def problem(words: list[str]) -> str:
    """Say what is wrong with a call; empty if nothing is."""
    while words and words[0].startswith("-"):
        if words[0].strip(",.") not in options(cli) | HELP_OPTIONS:
            return f"{words[0]} is no option of basketwise"
        words = words[1:]
    if not words or words[0] == "COMMAND":
        return ""
    if words[0] in SPOKEN:
        return ""
    if words[0].strip("'\",.:") not in COMMANDS:
        return f"{words[0]} is no command"
    name, *rest = (word.strip("'\",.:)") for word in words)
    while name in GROUPS and rest and not rest[0].startswith(("…", "-")):
        name, *rest = (f"{name} {rest[0]}", *rest[1:])
    command = ALL_COMMANDS.get(name)
    if command is None:
        return "" if name in GROUPS else f"{name} is no command"
    flags = {word.partition("=")[0].strip("'\",.") for word in words if word.startswith("--")}
    unknown = flags - options(command) - options(cli) - HELP_OPTIONS
    return f"{name} has no {', '.join(sorted(unknown))}" if unknown else ""


@each_page
def test_commands_and_flags_exist(page: Path) -> None:
    results = [problem(words) for words in calls(page.read_text(encoding="utf-8"))]
    assert not [item for item in results if item]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("`basketwise run --data x --json`", ""),
        ("`basketwise walk`", "walk is no command"),
        ("`basketwise run --date x`", "run has no --date"),
        ("`basketwise models prove 1`", "models prove is no command"),
        ("```console\n$ basketwise train \\\n    --fast\n```", "train has no --fast"),
    ],
)
def test_wrong_calls_would_be_found(call: str, expected: str) -> None:
    assert [problem(words) for words in calls(call)] == [expected]


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_the_reference_lists_exactly_the_options_of_each_command(name: str) -> None:
    text = section("docs/reference/cli.md", f"## basketwise {name}")
    assert set(OPTION.findall(text)) == options(ALL_COMMANDS[name]) - shared_options()
    arguments = {
        (p.name or "").upper() for p in ALL_COMMANDS[name].params if isinstance(p, click.Argument)
    }
    assert arguments <= set(INLINE.findall(text))


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_the_reference_states_the_defaults_of_options(name: str) -> None:
    text = section("docs/reference/cli.md", f"## basketwise {name}")
    stated = {flag: cells[1] for cells in rows(text) for flag in OPTION.findall(cells[0])}
    for parameter in ALL_COMMANDS[name].params:
        if not isinstance(parameter, click.Option) or set(parameter.opts) & shared_options():
            continue
        cell = stated[parameter.opts[0]]
        if parameter.required:
            assert cell == "required"
        elif parameter.is_flag and not parameter.secondary_opts:
            assert cell == "off"
        elif isinstance(parameter.default, str | int) and parameter.default:
            value = parameter.opts[0] if parameter.is_flag else str(parameter.default)
            assert cell == f"`{value}`"


def test_the_reference_has_no_command_too_many() -> None:
    matches = re.findall(r"^## basketwise (.+)$", read("docs/reference/cli.md"), re.MULTILINE)
    assert matches == list(dict.fromkeys(matches))
    assert set(matches) == set(ALL_COMMANDS)


def test_the_reference_lists_what_all_commands_share() -> None:
    text = section("docs/reference/cli.md", "## Options of every command")
    assert set(OPTION.findall(text)) == shared_options()
    of_program = read("docs/reference/cli.md").partition("## Options of every command")[0]
    assert set(OPTION.findall(of_program)) == options(cli) | HELP_OPTIONS


def test_the_list_of_commands_in_the_help_is_complete() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    assert all(re.search(rf"^  {name} ", shown, re.MULTILINE) for name in COMMANDS)


def test_no_list_of_commands_cuts_a_sentence() -> None:
    for group in ("", *sorted(GROUPS)):
        shown = CliRunner().invoke(cli, [*group.split(), "--help"], terminal_width=80).output
        assert "..." not in shown.partition("Commands:")[2], group


# --- settings ----------------------------------------------------------------------------------


def settings() -> Iterator[tuple[str, FieldInfo, object]]:
    for name, value in Config():
        assert isinstance(value, Section)
        for key, field in type(value).model_fields.items():
            yield f"{name}.{key}", field, getattr(value, key)


def documented_settings() -> dict[str, list[str]]:
    table = {}
    for cells in rows(read("docs/reference/config.md")):
        name = cells[0].strip("`")
        assert name not in table, f"{name} stands there twice"
        table[name] = cells[1:]
    return table


def limits(field: FieldInfo) -> Iterator[str]:
    for constraint in field.metadata:
        for mark in getattr(constraint, "metadata", [constraint]):
            if isinstance(mark, bounds.Ge):
                yield f"≥ {mark.ge}"
            elif isinstance(mark, bounds.Gt):
                yield f"> {mark.gt}"
            elif isinstance(mark, bounds.Le):
                yield f"≤ {mark.le}"
            elif isinstance(mark, bounds.Lt):
                yield f"< {mark.lt}"


def literals(annotation: object) -> Iterator[str]:
    for argument in getattr(annotation, "__args__", ()):
        if isinstance(argument, str):
            yield f"`{argument}`"
        else:
            yield from literals(argument)


def test_settings_are_documented_with_their_defaults() -> None:
    stated = {}
    for name, cells in documented_settings().items():
        text = cells[0].strip("`")
        stated[name] = None if text == "none" else tomllib.loads(f"value = {text}")["value"]
    present = {
        name: list(value) if isinstance(value, tuple) else value for name, _, value in settings()
    }
    assert stated == present


def test_settings_are_documented_with_their_range() -> None:
    table = documented_settings()
    for name, field, value in settings():
        expected = list(limits(field))
        if not isinstance(value, dict):
            expected += literals(field.annotation)
        missing = [mark for mark in expected if mark not in table[name][1]]
        assert not missing, name
        assert len(re.findall("[≥>≤<]", table[name][1])) == len(list(limits(field))), name


@each_page
def test_settings_named_in_passing_exist(page: Path) -> None:
    known = {name for name, _, _ in settings()}
    for code in INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        match = re.fullmatch(r"(?:--set )?([a-z]+)\.([a-z_0-9]+)(?:[.= ].*)?", code)
        if not match or match[1] not in Config.model_fields or match[2] in FILE_ENDINGS:
            continue
        is_module = (SOURCE / match[1] / f"{match[2]}.py").exists()
        assert is_module or f"{match[1]}.{match[2]}" in known, code


# --- features, reasons, files ------------------------------------------------------------------


def test_features_are_documented_in_order() -> None:
    assert first_names(read("docs/reference/features.md")) == columns_of(FEATURE_GROUPS)


def rejection_reasons() -> set[str]:
    """Return the reasons as they stand in the sources."""
    result: set[str] = set()
    names = ("cleaning", "reasons", "repeats")
    for module in (SOURCE / "etl" / "lines" / f"{name}.py" for name in names):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                result |= {node.value} if REASON_NAME.fullmatch(node.value) else set()
    return result | set(MALFORMED)


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("docs/reference/errors.md", "## Rejection reasons"),
        ("docs/howto/troubleshooting.md", "## Lines were rejected"),
    ],
)
def test_rejection_reasons_are_documented(name: str, heading: str) -> None:
    listed = first_names(section(name, heading))
    assert len(listed) == len(set(listed))
    assert set(listed) == rejection_reasons()


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("### product_index.parquet", list(INDEX_COLUMNS)),
        ("### metadata.json", list(Metadata.model_fields)),
        ("### report.json", list(Report.__annotations__)),
    ],
)
def test_files_are_documented_in_full(heading: str, names: list[str]) -> None:
    assert first_names(section("docs/reference/files.md", heading)) == names
