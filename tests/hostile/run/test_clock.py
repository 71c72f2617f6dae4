"""A clock that goes back: what was done last is the latest, nothing takes less than no time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from basketwise.files import REPORT_JSON
from basketwise.run.workspace import open_workspace
from tests.cli.calling import SMALL, call, called
from tests.cli.till import delivered, delivery
from tests.hostile.clock import Clock
from tests.hostile.registry.shop import Shop
from tests.hostile.scale import tried

BACK = ({"hours": 1}, {"days": 365})


@pytest.mark.skipif(tried(0, 1) == 0, reason="make hostile")
def test_the_run_made_last_is_the_latest(clock: Clock, tmp_path: Path) -> None:
    raw, shop = delivered(tmp_path / "raw", delivery()), Shop(tmp_path / "w")
    clock.time = clock.time.replace(microsecond=999_999)
    options = ("--workspace", shop.folder, *SMALL)
    for number, back in enumerate(BACK * 3, start=1):
        clock.back(**back)
        seed = f"training.random_state={number}"
        outcome = called("run", raw, *options, "--set", seed, "--json")
        run = outcome.json["run_id"]
        report = json.loads((shop.folder / "artifacts" / run / REPORT_JSON).read_bytes())
        assert min(_seconds(report)) >= 0
        assert open_workspace(str(shop.folder)).run_folder(None)[0] == run
        called("evaluate", *options, "--set", seed)
        # Nothing has changed since, whatever the clock says.
        outcome = called("run", raw, *options, "--set", seed, "--json")
        assert outcome.json["run_id"] == run
        assert shop.is_settled
        scores = tmp_path / f"{number}.csv"
        called("predict", raw, "--out", scores, "--workspace", shop.folder, "--model", "1")


def _seconds(document: object) -> list[float]:
    """Return every duration in a document."""
    if isinstance(document, dict):
        own = [value for name, value in document.items() if name.endswith("seconds")]
        inner = [number for value in document.values() for number in _seconds(value)]
        return [value for value in own if isinstance(value, int | float)] + inner
    if isinstance(document, list):
        return [number for value in document for number in _seconds(value)]
    return []


def test_a_clock_that_was_never_set_is_told(clock: Clock, tmp_path: Path) -> None:
    clock.time = clock.time.replace(year=1970)
    outcome = call("run", delivered(tmp_path / "raw", delivery(30)), "--workspace", tmp_path / "w")
    assert outcome.code == 2
    assert "clock says 1970-02-03" in outcome.err
    assert not (tmp_path / "w" / "gold").exists()
