from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from basketwise.errors import InputError
from basketwise.report.types.document import REPORT_FORMAT, read_report
from tests.report.example import example_report


def written(folder: Path, document: object) -> Path:
    path = folder / "report.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("champion", [True, False])
def test_a_report_is_read_as_it_was_written(tmp_path: Path, champion: bool) -> None:
    report = example_report(champion=champion)
    assert read_report(written(tmp_path, report)) == report


def test_a_run_without_a_report_has_not_been_evaluated(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has not been evaluated\.\nRun 'basketwise evaluate'"):
        read_report(tmp_path / "report.json")


@pytest.mark.parametrize("number", [1, REPORT_FORMAT + 1, None, "2"])
def test_another_format_is_refused_with_what_to_do(tmp_path: Path, number: object) -> None:
    path = written(tmp_path, {**example_report(), "format": number})
    with pytest.raises(InputError, match=rf"format {number!r}.*reads format 2\.\nRun .*--force"):
        read_report(path)


@pytest.mark.parametrize("document", [[], "report", 3, {}])
def test_what_is_no_document_has_no_format(tmp_path: Path, document: object) -> None:
    with pytest.raises(InputError, match="format None"):
        read_report(written(tmp_path, document))


def test_a_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"is not JSON: .*\n.*--force"):
        read_report(path)


def without_key(report: dict[str, Any]) -> None:
    del report["winner"]["accuracy"]["low"]


def with_text_for_a_number(report: dict[str, Any]) -> None:
    report["winner"]["accuracy"]["low"] = "low"


@pytest.mark.parametrize("damage", [without_key, with_text_for_a_number])
def test_a_foreign_report_is_refused_with_the_key_that_is_wrong(
    tmp_path: Path, damage: Any
) -> None:
    report = example_report()
    damage(report)
    with pytest.raises(InputError, match=r"is not a report of Basketwise: winner\.accuracy\.low"):
        read_report(written(tmp_path, report))


def test_a_report_of_before_there_was_a_forward_fold_is_read(tmp_path: Path) -> None:
    report = example_report()
    for row in report["leaderboard"]:
        del row["forward_accuracy"], row["forward_f1"], row["cv_folds"]
    assert read_report(written(tmp_path, report)) == report
