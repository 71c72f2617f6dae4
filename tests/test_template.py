"""The template: it changes nothing, it says everything, and an edited one is obeyed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from basketwise.config import Config
from basketwise.settings import load_config
from basketwise.template import config_template

SETTINGS = [
    (section, key)
    for section in Config.model_fields
    for key in type(getattr(Config(), section)).model_fields
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "basketwise.toml"
    path.write_text(config_template(), encoding="utf-8")
    return path


def test_it_loads_as_the_defaults(file: Path) -> None:
    assert load_config(str(file), {}) == Config()


def test_it_states_every_default() -> None:
    stated = tomllib.loads(config_template())

    assert stated == Config().model_dump(mode="json", exclude_none=True)


@pytest.mark.parametrize(("section", "key"), SETTINGS)
def test_every_setting_is_there(section: str, key: str) -> None:
    text = config_template()
    body = text.partition(f"\n[{section}]\n")[2]

    assert body
    assert re.search(rf"^(# )?{key} = |^\[{section}\.{key}\]$", body, re.MULTILINE)


@pytest.mark.parametrize(("section", "key"), SETTINGS)
def test_every_setting_has_a_comment(section: str, key: str) -> None:
    body = config_template().partition(f"\n[{section}]\n")[2]
    lines = body.splitlines()
    index = next(
        number
        for number, line in enumerate(lines)
        if re.match(rf"(# )?{key} = |\[{section}\.{key}\]$", line)
    )

    assert re.match(r"# \w", _comment(lines, index)), lines[:index]


def _comment(lines: list[str], index: int) -> str:
    """Return the first line of the comment right above a place."""
    start = index
    while start and lines[start - 1].startswith("# ") and " = " not in lines[start - 1]:
        start -= 1
    return lines[start]


def test_what_is_off_by_default_can_be_uncommented(file: Path) -> None:
    text = file.read_text().replace("# cost_matrix", "cost_matrix")
    file.write_text(text)

    assert load_config(str(file), {}).business.cost_matrix == [[10, 0, -2], [0, 10, 0], [-2, 0, 10]]


def test_an_edited_file_is_obeyed(file: Path) -> None:
    text = file.read_text()
    assert "test_size = 0.2\n" in text
    assert "max_depth = 6\n" in text
    file.write_text(
        text.replace("test_size = 0.2\n", "test_size = 0.25\n").replace(
            "max_depth = 6\n", "max_depth = 4\n"
        )
    )

    loaded = load_config(str(file), {})

    assert loaded.split.test_size == 0.25
    assert loaded.training.xgboost == Config().training.xgboost | {"max_depth": 4}


def test_lines_may_be_deleted(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if "learning_rate" not in line]
    file.write_text("\n".join(lines))

    assert load_config(str(file), {}) == Config()


def test_lines_stay_short() -> None:
    assert max(map(len, config_template().splitlines())) <= 100
