"""Flags over environment over file over defaults."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from basketwise.config import Config
from basketwise.errors import ConfigError
from basketwise.redaction import redacted_address

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "BASKETWISE_"
SEPARATOR = "__"
DEFAULT_FILE = "basketwise.toml"
SERVER = ("SERVE_TOKEN", "SERVE_TOKEN_FILE")
VARIABLES = tuple(PREFIX + name for name in ("CONFIG", "WORKSPACE", "DIGEST", *SERVER))
"""Variables that are no settings: of the command line, of jobs, of a server."""


def load_config(
    path: str | None, environment: Mapping[str, str], flags: Sequence[str] = ()
) -> Config:
    """Load the configuration.

    Parameters
    ----------
    path : str or None
        The file; None takes ``basketwise.toml`` of the working directory if there is one.
    environment : mapping
        ``BASKETWISE_<SECTION>__<KEY>`` sets a key, ``…__<KEY>__<NAME>`` one entry of a table;
        values are read as TOML, else as text.
    flags : sequence of str
        ``section.key=value``, the later ones win.

    Raises
    ------
    ConfigError
        Naming every key that is unknown or out of range, and what is allowed.

    Notes
    -----
    What is not set keeps its default, entries of tables too: ``training.xgboost.max_depth=3``
    leaves the other parameters of xgboost as they are.
    """
    values = _read_file(path)
    for name, value in sorted(environment.items()):
        section, separator, key = name.removeprefix(PREFIX).lower().partition(SEPARATOR)
        if name.startswith(PREFIX) and separator:
            _set(values, section, key.replace(SEPARATOR, "."), value, where=name)
    for flag in flags:
        dotted, equals, value = flag.partition("=")
        section, dot, key = dotted.strip().partition(".")
        if not equals or not dot:
            raise ConfigError(
                f"--set {redacted_address(flag)!r} is not understood.", "Write section.key=value."
            )
        _set(values, section, key, value, where=f"--set {redacted_address(dotted)}")
    return checked(_overlaid(Config().model_dump(), values))


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Describe each variable that looks like one of Basketwise's and sets nothing.

    A section or key that is unknown is an error of :func:`load_config` instead.

    Examples
    --------
    >>> unknown_variables({"BASKETWISE_GATE_MIN_ACCURACY": "0.9"})
    ['BASKETWISE_GATE_MIN_ACCURACY sets nothing; did you mean BASKETWISE_GATE__MIN_ACCURACY?']
    """
    unknown = sorted(
        name
        for name in environment
        if name.upper().startswith(PREFIX)
        and name not in VARIABLES
        and not (name.startswith(PREFIX) and SEPARATOR in name.removeprefix(PREFIX))
    )
    if not unknown:
        return []
    settings = [name.upper().replace(".", SEPARATOR) for name in flatten(Config().model_dump())]
    known = [*VARIABLES, *(PREFIX + name for name in settings)]
    return [f"{name} sets nothing{nearest(name.upper(), known)}" for name in unknown]


def nearest(name: str, known: Sequence[str]) -> str:
    """Ask for the known name that resembles an unknown one most, if any does.

    Examples
    --------
    >>> nearest("stratgy", ["strategy", "test_size"]), nearest("x", ["strategy"])
    ('; did you mean strategy?', '.')
    """
    similar = get_close_matches(name, known, n=1)
    return f"; did you mean {similar[0]}?" if similar else "."


def checked(values: Mapping[str, Any]) -> Config:
    """Return settings by section and key as a configuration.

    Raises
    ------
    ConfigError
        Naming every key that is unknown or out of range, and what is allowed.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(*_explain(error, values)) from error


def _read_file(path: str | None) -> dict[str, Any]:
    file = Path(path or DEFAULT_FILE).expanduser()
    if path is None and not file.is_file():
        return {}
    try:
        data = file.read_bytes()
        if b"\0" in data:
            # Notepad's "Unicode" is UTF-16.
            raise ConfigError(
                f"The config {str(file)!r} is not UTF-8 text.", "Save it with the encoding UTF-8."
            )
        # Windows editors begin UTF-8 with a byte order mark.
        return tomllib.loads(data.decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        raise ConfigError(
            f"The config {str(file)!r} cannot be read: {error.strerror or error}.",
            f"Write one with 'basketwise init --out {shlex.quote(str(file))}'.",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"The config {str(file)!r} is not UTF-8 text: {error}.",
            "Save it with the encoding UTF-8.",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The config {str(file)!r} is not valid TOML: {error}.") from error


def _overlaid(defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    merged = dict(defaults)
    for key, value in values.items():
        default: Any = defaults.get(key)
        both = isinstance(value, dict) and isinstance(default, dict)
        merged[key] = _overlaid(default, value) if both else value
    return merged


def _set(values: dict[str, Any], section: str, key: str, text: str, *, where: str) -> None:
    table = values.setdefault(section, {})
    *tables, last = key.split(".")
    for name in tables:
        if not isinstance(table, dict):
            break
        table = table.setdefault(name, {})
    if not isinstance(table, dict) or not last:
        raise ConfigError(f"{where} does not name a setting.", "Write section.key=value.")
    table[last] = _value(text, listed=section != "data" and last in {"groups", "models", "slices"})


def _value(text: str, *, listed: bool) -> Any:
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    if listed and isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return value


_WANTED = {
    kind: f"give {what}"
    for what, kinds in (
        ("a table", ("dict_type", "model_type")),
        ("a list", ("tuple_type", "list_type")),
        ("text", ("string_type",)),
        ("a whole number", ("int_type", "int_parsing", "int_from_float")),
        ("a number", ("float_type", "float_parsing")),
        ("a finite number", ("finite_number",)),
        ("true or false", ("bool_type", "bool_parsing")),
    )
    for kind in kinds
}
"""What to give instead, in the words of TOML: pydantic's own are those of Python."""


def _explain(error: ValidationError, values: Mapping[str, Any]) -> tuple[str, str]:
    problems, hints = [], []
    for problem in error.errors(include_url=False):
        loc = _written(problem["loc"], values)
        # A number is a position in a list, which nobody can set by itself.
        names = [part for part in loc if isinstance(part, str)]
        key, listed = ".".join(names), len(names) < len(loc)
        if problem["type"] == "extra_forbidden":
            problems.append(f"{key} is not a setting")
            hints.append(_siblings(problem["loc"]))
            continue
        if len(names) == 1 and isinstance(problem["input"], Mapping):
            problems.append(f"The settings in [{key}] do not fit together")
        else:
            problems.append(f"{key} {'contains' if listed else 'is'} {problem['input']!r}")
        message = _message(problem, listed=listed)
        ending = "" if message.endswith("?") else "."
        hints.append(f"{key}: {message[0].lower()}{message[1:]}{ending}")
    return "; ".join(dict.fromkeys(problems)) + ".", "\n".join(dict.fromkeys(hints))


def _written(location: tuple[int | str, ...], values: Mapping[str, Any]) -> list[int | str]:
    """Leave out of a location what is not in the values: the types that one may be, by pydantic."""
    written: list[int | str] = []
    value: Any = values
    for part in location:
        if part in value if isinstance(value, Mapping) else isinstance(part, int):
            written.append(part)
            value = value[part]
    return written


def _message(problem: ErrorDetails, *, listed: bool) -> str:
    if problem["type"] == "literal_error":
        expected = problem["ctx"]["expected"]
        similar = nearest(str(problem["input"]), re.findall("'([^']+)'", expected))
        return f"choose {'from ' if listed else ''}{expected}{similar.rstrip('.')}"
    if problem["type"] == "string_pattern_mismatch":
        section, key, *_ = problem["loc"]
        fields: Any = Config.model_fields[str(section)].annotation
        meaning = " ".join(fields.model_fields[key].description.split()).rstrip(".")
        return f"give text that matches {problem['ctx']['pattern']} ({meaning})"
    return _WANTED.get(problem["type"], problem["msg"].removeprefix("Value error, "))


def _siblings(location: tuple[int | str, ...]) -> str:
    *sections, key = location
    fields: Any = Config.model_fields
    for part in sections:
        fields = fields[part].annotation.model_fields
    where = f"Settings of {sections[0]}" if sections else "Sections"
    return f"{where}: {', '.join(fields)}{nearest(str(key), [*fields])}"


def flatten(value: Any, name: str = "") -> dict[str, Any]:
    """List nested settings by dotted names; an empty table counts as a value.

    Examples
    --------
    >>> flatten({"split": {"strategy": "time"}, "data": {"columns": {}}})
    {'split.strategy': 'time', 'data.columns': {}}
    """
    if not isinstance(value, dict) or (name and not value):
        return {name: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= flatten(inner, f"{name}.{key}" if name else key)
    return flat
