"""Settings that cannot be used are refused by name, with what is allowed, before any file is read.

The data that each call names is not there: an error about it would show that somebody looked.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import call, spawn

SLICES = (
    "'store_format', 'store_region', 'shop_week', 'shop_weekday', 'shop_hour', 'basket_size' or "
    "'card'"
)
TOLD = {
    "gate.champion_margin=-0.1": (
        "gate.champion_margin is -0.1.",
        "gate.champion_margin: input should be greater than or equal to 0.",
    ),
    "gate.min_recall=0.9": (
        "gate.min_recall is not a setting.",
        "Settings of gate: min_accuracy, min_macro_f1, thresholds_on, champion, champion_margin, "
        "memory, min_test_baskets, max_rejected_share.",
    ),
    'evaluation.slices=["colour"]': (
        "evaluation.slices contains 'colour'.",
        f"evaluation.slices: choose from {SLICES}.",
    ),
    "evaluation.slices=card,colour,hue": (
        "evaluation.slices contains 'colour'; evaluation.slices contains 'hue'.",
        f"evaluation.slices: choose from {SLICES}.",
    ),
    "split.strategy=weekly": (
        "split.strategy is 'weekly'.",
        "split.strategy: choose 'time', 'stratified' or 'customer'.",
    ),
    "training.calibration=platt": (
        "training.calibration is 'platt'.",
        "training.calibration: choose 'auto', 'temperature', 'isotonic' or 'none'.",
    ),
    "gate.thresholds_on=upper": (
        "gate.thresholds_on is 'upper'.",
        "gate.thresholds_on: choose 'estimate' or 'lower'.",
    ),
    "data.labels.Q=Cheap": (
        "data.labels.Q is 'Cheap'.",
        "data.labels.Q: choose 'Low', 'Medium', 'High' or 'Unclassified'.",
    ),
    'business.cost_matrix=[["a",0,0],[0,1,0],[0,0,1]]': (
        "business.cost_matrix contains 'a'.",
        "business.cost_matrix: give a number.",
    ),
}


@pytest.mark.parametrize("setting", TOLD)
def test_nothing_is_read_or_written(setting: str, tmp_path: Path) -> None:
    outcome = call(
        *("run", "--data", tmp_path / "none", "--workspace", tmp_path / "w", "--set", setting)
    )

    assert (outcome.code, outcome.out) == (2, "")
    assert tuple(outcome.err.splitlines()) == TOLD[setting]
    assert list(tmp_path.iterdir()) == []


def test_the_typed_command_ends_the_same_way(tmp_path: Path) -> None:
    setting = "split.strategy=weekly"

    outcome = spawn(
        *("run", "--data", tmp_path / "none", "--workspace", tmp_path / "w", "--set", setting)
    )

    assert (outcome.code, outcome.out) == (2, "")
    assert tuple(outcome.err.splitlines()) == TOLD[setting]
    assert list(tmp_path.iterdir()) == []
