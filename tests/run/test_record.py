from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from basketwise.config import Config
from basketwise.errors import InputError
from basketwise.run import record
from basketwise.run.cache import Outcome, look_up
from basketwise.run.record import (
    Step,
    config_of,
    planned,
    read_step,
    require_step,
    seal,
    verified_step,
)


def reasons(plan: Step, folder: Path) -> str:
    return Outcome(plan.stage, look_up(plan, [folder], force=False)).why


INPUTS = {"week.csv": "a" * 64, "champion": "none"}


def gold(config: Config | None = None, inputs: dict[str, str] | None = None) -> Step:
    return planned("gold", INPUTS | (inputs or {}), config or Config())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished gold stage of two files."""
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "one.parquet").write_bytes(b"one")
    (tmp_path / "metadata.json").write_bytes(b"{}")
    seal(gold(), tmp_path)
    return tmp_path


def with_settings(**sections: dict[str, Any]) -> Config:
    return Config.model_validate(sections)


def test_what_is_unchanged_need_not_run(folder: Path) -> None:
    assert reasons(gold(), folder) == ""
    assert reasons(gold(with_settings(evaluation={"resamples": 500})), folder) == ""


def test_the_record_does_not_name_itself(folder: Path) -> None:
    step = read_step("gold", folder)
    assert step is not None
    assert list(step.outputs) == ["metadata.json", "part/one.parquet"]


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({"etl": {"outliers": "drop"}}, "etl.outliers clip → drop"),
        (
            {"features": {"groups": ["basket"]}},
            'features.groups ["basket", "product"] → ["basket"]',
        ),
        (
            {"split": {"test_size": 0.25, "strategy": "stratified"}},
            "split.strategy time → stratified; split.test_size 0.2 → 0.25",
        ),
    ],
)
def test_a_changed_setting_is_named_with_both_values(
    folder: Path, sections: dict[str, dict[str, Any]], why: str
) -> None:
    assert reasons(gold(with_settings(**sections)), folder) == why


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"week.csv": "b" * 64}, "week.csv changed"),
        ({"next.csv": "c" * 64}, "next.csv is new"),
        ({"champion": "version 2"}, "champion none → version 2"),
    ],
)
def test_a_changed_input_is_named(folder: Path, inputs: dict[str, str], why: str) -> None:
    assert reasons(gold(inputs=inputs), folder) == why


def test_an_input_that_is_gone_is_named(folder: Path) -> None:
    plan = planned("gold", {"champion": "none"}, Config())
    assert reasons(plan, folder) == "week.csv is gone"


def test_many_causes_are_counted(folder: Path) -> None:
    many = {f"{number}.csv": "d" * 64 for number in range(9)}
    assert reasons(gold(inputs=many), folder) == (
        "0.csv is new; 1.csv is new; 2.csv is new; and 6 more"
    )


def test_other_code_and_libraries_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "code_hash", lambda: "e" * 64)
    monkeypatch.setattr(record, "library_versions", lambda: {"polars": "9.9"})
    why = reasons(gold(), folder)
    assert why.startswith("Basketwise's code changed; ")
    assert " → unset" in why


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize(
    ("touch", "why"),
    [
        (lambda f: _append(f / "part" / "one.parquet"), "part/one.parquet was changed since"),
        (lambda f: (f / "metadata.json").unlink(), "metadata.json is missing"),
        (lambda f: (f / "part" / "two.parquet").touch(), "part/two.parquet was not there before"),
        (lambda f: (f / "step-gold.json").unlink(), "first time"),
        (lambda f: (f / "step-gold.json").write_text('{"stage"'), "first time"),
    ],
)
def test_tampered_and_half_written_outputs_are_never_taken(
    folder: Path, touch: Callable[[Path], None], why: str
) -> None:
    touch(folder)
    assert reasons(gold(), folder) == why


def test_a_training_shares_its_folder(tmp_path: Path) -> None:
    model = tmp_path / "model.skops"
    model.write_bytes(b"model")
    plan = planned("training", {}, Config())
    seal(plan, tmp_path, [model])
    (tmp_path / "report.html").touch()
    assert reasons(plan, tmp_path) == ""


def test_equal_outputs_have_one_digest(tmp_path: Path) -> None:
    digests = set()
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "x").write_bytes(b"x")
        digests.add(seal(gold(), folder).digest)
        assert require_step("gold", folder).digest in digests
    assert len(digests) == 1


def test_every_setting_belongs_to_a_stage_or_to_what_is_no_stage() -> None:
    # A new section that no stage looks at would never make anything run again.
    stages = {name.partition(".")[0] for names in record.SETTINGS.values() for name in names}
    assert set(Config.model_fields) - stages == {"registry", "deployment", "aws"}
    known = set(record.SETTINGS["silver"] + record.SETTINGS["gold"])
    assert {f"etl.{key}" for key in Config().etl.model_dump()} <= known


@pytest.mark.parametrize("name", ["../../secret.txt", "/etc/passwd", "a/../b", "c:evil", ""])
def test_a_record_that_names_files_outside_is_none(folder: Path, name: str) -> None:
    path = folder / "step-gold.json"
    document = json.loads(path.read_text())
    document["outputs"][name] = "0" * 64
    path.write_text(json.dumps(document))

    assert read_step("gold", folder) is None
    with pytest.raises(InputError, match="no record of the stage gold"):
        require_step("gold", folder)


def test_what_was_touched_is_refused_with_its_name(folder: Path) -> None:
    assert verified_step("gold", folder) == read_step("gold", folder)
    (folder / "metadata.json").write_bytes(b"[]")
    with pytest.raises(InputError, match=r"metadata\.json was changed since"):
        verified_step("gold", folder)


def test_settings_come_back_as_a_stage_had_them() -> None:
    then = with_settings(
        split={"strategy": "customer"}, training={"models": ["xgboost"], "logistic": {}}
    )
    steps = [planned("gold", {}, then), planned("training", {}, then)]
    now = with_settings(gate={"min_accuracy": 0.5}, training={"models": ["logistic"]})

    result = config_of(now, steps)

    assert result.split == then.split
    assert result.training == then.training
    assert result.gate == now.gate


def test_another_currency_is_only_printed() -> None:
    euros = with_settings(data={"currency": "EUR", "encoding": "latin-1"})
    plain = with_settings(data={"encoding": "latin-1"})
    assert planned("silver", {}, euros) == planned("silver", {}, plain)
    assert planned("evaluation", {}, euros) != planned("evaluation", {}, plain)
    assert config_of(plain, [planned("silver", {}, euros)]).data == plain.data
    steps = [planned(stage, {}, euros) for stage in ("silver", "evaluation")]
    assert config_of(Config(), steps).data == euros.data


def test_an_empty_table_is_a_setting_too(folder: Path) -> None:
    plan = planned("training", {}, with_settings(training={"logistic": {}}))
    seal(planned("training", {}, Config()), folder, [])
    assert "training.logistic" in reasons(plan, folder)
