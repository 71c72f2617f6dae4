"""The evaluation job that is told what an evaluation on one machine knows."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.container.evaluation import main
from basketwise.aws.requests.evaluation import (
    BROKEN_FILE,
    REQUEST_FILE,
    TRAINING,
    EvaluationRequest,
    Rival,
)
from basketwise.digests import content, sha256
from basketwise.errors import InputError
from basketwise.files import ARCHIVE, JOB_FILE, OOF_FILE, TEST_PREDICTIONS_FILE
from basketwise.run.record import planned, require_step, seal
from tests.etl.running import Run
from tests.evaluation.running import CONFIG, Evaluated

TRAINED = (
    *("model.skops", "novelty.skops", "model.joblib", "calibration.json", "training.json"),
    *(OOF_FILE, TEST_PREDICTIONS_FILE),
)


@dataclass
class Scene:
    """A job's mounts, and its request, which is written when the job runs."""

    root: Path
    request: dict[str, Any]

    @property
    def output(self) -> Path:
        return self.root / "output"

    def run(self, *more: str) -> dict[str, Any]:
        text = EvaluationRequest.model_validate(self.request).model_dump_json()
        (self.root / "request" / REQUEST_FILE).write_text(text)
        names = ("gold", "request", "silver", "output")
        main([*(f"--{name}-path={self.root / name}" for name in names), *more])
        report: dict[str, Any] = json.loads((self.output / "report.json").read_bytes())
        return report


@pytest.fixture
def scene(
    evaluated: Evaluated, sample_run: Run, base: Path, monkeypatch: pytest.MonkeyPatch
) -> Scene:
    def draw_nothing(*_: object, path: Path, **__: object) -> None:
        path.touch()

    for name in ("plots.reliability_png", "plots.confusion_matrix_png"):
        monkeypatch.setattr(f"basketwise.report.{name}", draw_nothing)
    monkeypatch.setattr("basketwise.report.plots.comparison_png", lambda *args: args[-1].touch())
    root = base / "processing"
    for name in ("request", "model"):
        (root / name).mkdir(parents=True)
    shutil.copytree(sample_run.silver, root / "silver")
    shutil.copytree(sample_run.gold, root / "gold")
    silver = seal(planned("silver", {"till.csv": "9f86"}, CONFIG), root / "silver")
    gold = seal(planned("gold", {"silver": silver.digest}, CONFIG), root / "gold")
    with tarfile.open(root / "model" / ARCHIVE, "w:gz") as archive:
        for name in TRAINED:
            archive.add(evaluated.folder / name, f"./{name}")
    (root / "request" / JOB_FILE).write_text("{}")
    trained = {name: sha256(evaluated.folder / name) for name in TRAINED}
    trained[JOB_FILE] = sha256(root / "request" / JOB_FILE)
    config = CONFIG.model_copy(
        update={"evaluation": CONFIG.evaluation.model_copy(update={"resamples": 100})}
    )
    return Scene(
        root,
        {
            "run_id": "run-7",
            "command": "aws run",
            "data": "raw",
            "started_at": datetime(2026, 3, 1, tzinfo=UTC),
            "git_commit": "c" * 40,
            "inputs": {"silver": silver.digest, "gold": gold.digest, "training": "t" * 64},
            "trained": trained,
            "looks": 2,
            "champion": None,
            "better": [],
            "config": config.recorded(),
        },
    )


def rival(scene: Scene, version: str, archive: Path, sha: str = "") -> dict[str, Any]:
    """Mount a version's archive."""
    folder = scene.root / "rivals" / version
    folder.mkdir(parents=True)
    shutil.copyfile(archive, folder / ARCHIVE)
    return {
        "version": version,
        "sha256": sha or sha256(archive),
        "archive": f"rivals/{version}/{ARCHIVE}",
    }


def test_it_leaves_what_an_evaluation_adds(scene: Scene, evaluated: Evaluated) -> None:
    report = scene.run(f"--model-path={scene.root / 'model'}")

    assert (
        report["winner"]["accuracy"]["estimate"]
        == (evaluated.report["winner"]["accuracy"]["estimate"])
    )
    assert report["run"]["run_id"] == "run-7"
    assert report["run"]["started_at"] == "2026-03-01T00:00:00+00:00"
    assert report["run"]["seconds"] > 3600
    assert report["lineage"]["git_commit"] == "c" * 40
    assert report["looks"]["number"] == 3
    step = require_step("evaluation", scene.output)
    assert step.inputs == scene.request["inputs"]
    files = content(scene.output)
    files.pop("step-evaluation.json")
    assert files == step.outputs
    assert not files.keys() & scene.request["trained"].keys()
    assert {"report.html", ARCHIVE, BROKEN_FILE} <= files.keys()
    assert json.loads((scene.output / BROKEN_FILE).read_bytes()) == []
    assert not list(scene.output.glob(".*"))


def test_the_champion_and_a_better_one_are_compared(scene: Scene, evaluated: Evaluated) -> None:
    lost = {"version": "4", "sha256": "0" * 64, "why": "Its archive is lost."}
    changed = rival(scene, "3", evaluated.archive, "1" * 64)
    scene.request |= {
        "champion": rival(scene, "1", evaluated.archive),
        "better": [lost, changed, rival(scene, "2", evaluated.archive)],
    }
    report = scene.run(f"--model-path={scene.root / 'model'}")

    assert report["champion"]["version"] == "1"
    assert report["champion"]["accuracy_difference"]["estimate"] == 0
    assert report["best"]["version"] == "2"
    (memory,) = [item for item in report["verdict"]["reasons"] if item["rule"] == "memory"]
    assert "version 4 was better but could not be scored: Its archive is lost" in memory["text"]
    assert "version 3 was better but could not be scored" in memory["text"]
    assert json.loads((scene.output / BROKEN_FILE).read_bytes()) == ["best"]


def test_a_champion_that_is_lost_is_told(scene: Scene) -> None:
    scene.request["champion"] = {"version": "1", "sha256": "0" * 64, "why": "It is lost."}
    report = scene.run(f"--model-path={scene.root / 'model'}")

    assert report["verdict"]["approved"] is False
    assert "The champion (version 1) could not be scored: It is lost" in str(report["verdict"])
    assert json.loads((scene.output / BROKEN_FILE).read_bytes()) == ["champion"]


def test_the_training_may_be_in_the_request(scene: Scene, evaluated: Evaluated) -> None:
    folder = scene.root / "request" / TRAINING
    folder.mkdir()
    for name in TRAINED:
        shutil.copyfile(evaluated.folder / name, folder / name)
    (scene.root / "model" / ARCHIVE).unlink()

    assert scene.run()["winner"]["model"] == evaluated.record.winner


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        ("training", "The training's file model.skops is missing, or not what the run has seen"),
        ("record", "The gold files are not those that the model was trained on"),
        ("gold", "is not what the stage gold wrote: test_features.parquet was changed since"),
        ("silver", "is not what the stage silver wrote"),
    ],
)
def test_what_is_not_what_the_run_has_seen_is_refused(
    scene: Scene, spoil: str, expected: str
) -> None:
    if spoil == "training":
        scene.request["trained"]["model.skops"] = "0" * 64
    elif spoil == "record":
        scene.request["inputs"]["gold"] = "0" * 64
    elif spoil == "gold":
        (scene.root / "gold" / "test_features.parquet").write_bytes(b"other")
    else:
        (scene.root / "silver" / "stray").write_bytes(b"other")
    with pytest.raises(InputError) as caught:
        scene.run(f"--model-path={scene.root / 'model'}")
    assert expected in caught.value.headline
    assert not list(scene.output.iterdir())


@pytest.mark.parametrize("text", ["", "{}", '{"run_id": 1}'])
def test_a_damaged_request_is_refused(scene: Scene, text: str) -> None:
    path = scene.root / "request" / REQUEST_FILE
    path.write_text(text)
    with pytest.raises(InputError, match="cannot be read"):
        main([f"--request-path={path.parent}", f"--output-path={scene.output}"])


def test_names_that_lead_outside_are_refused(scene: Scene) -> None:
    scene.request["trained"]["../evil"] = "0" * 64
    with pytest.raises(ValueError, match="names must stay below the folder"):
        scene.run()
    assert Rival(version="1", sha256="").archive == ""
