from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest

from basketwise.aws.container.evaluation import main
from basketwise.aws.libraries import needed
from basketwise.aws.self_contained import is_self_contained
from basketwise.aws.uploads.code import lock_for_jobs
from basketwise.deploy.library import Library, lock_text
from basketwise.digests import sha256
from basketwise.errors import InputError
from basketwise.files import ARCHIVE, OOF_FILE, TEST_PREDICTIONS_FILE
from basketwise.model.archive import load_model_archive
from basketwise.registry.identity import model_digest
from tests.aws.wheel_index import offered
from tests.etl.running import Run
from tests.evaluation.running import Evaluated

TRAINED = (
    *("model.skops", "novelty.skops", "model.joblib", "calibration.json", "training.json"),
    *(OOF_FILE, TEST_PREDICTIONS_FILE),
)
ARGUMENTS = ("--run-id", "run-20260301-120000", "--command", "aws run", "--data", "s3://b/raw/")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw_nothing(*_: object, path: Path, **__: object) -> None:
        path.touch()

    for name in ("plots.reliability_png", "plots.confusion_matrix_png"):
        monkeypatch.setattr(f"basketwise.report.{name}", draw_nothing)
    monkeypatch.setattr("basketwise.report.plots.comparison_png", lambda *args: args[-1].touch())
    monkeypatch.setenv("BASKETWISE_EVALUATION__RESAMPLES", "100")
    monkeypatch.setenv("BASKETWISE_EVALUATION__IMPORTANCE_BASKETS", "50")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("packed", [True, False])
def test_the_job_evaluates_the_output_of_a_training_job(
    evaluated: Evaluated,
    sample_run: Run,
    base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    packed: bool,
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for name in TRAINED:
        (files / name).write_bytes((evaluated.folder / name).read_bytes())
    model = base / "processing" / "model"
    model.mkdir(parents=True)
    if packed:
        # As SageMaker packs a model folder.
        with tarfile.open(model / ARCHIVE, "w:gz") as archive:
            archive.add(files, ".")
    else:
        files.rename(tmp_path / "plain")
        model = tmp_path / "plain"
    arguments = ["--gold-path", str(sample_run.gold), "--model-path", str(model), *ARGUMENTS]
    main(arguments)
    out = base / "processing" / "output"
    document = json.loads((out / "evaluation.json").read_bytes())
    report = json.loads((out / "report.json").read_bytes())
    winner = evaluated.report["winner"]
    assert document["accuracy"] == winner["accuracy"]["estimate"]
    assert document["f1"] == winner["macro_f1"]["estimate"]
    assert document["approved"] == report["verdict"]["approved"]
    # A container sees no registry: whether there is a champion is not known there.
    (reason,) = [item for item in report["verdict"]["reasons"] if item["rule"] == "champion"]
    assert (reason["passed"], document["approved"]) == (False, False)
    assert "no access to the registry" in reason["text"]
    assert "no access to the registry" in document["basketwise"]["description"]
    metrics = document["multiclass_classification_metrics"]
    assert metrics["accuracy"]["value"] == document["accuracy"]
    assert report["run"]["run_id"] == "run-20260301-120000"
    assert {path.name for path in out.iterdir()} >= {*TRAINED, ARCHIVE, "report.html"}
    assert load_model_archive(out / ARCHIVE).metadata == sample_run.metadata
    assert f"accuracy {document['accuracy']:.4f}" in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_an_isolated_job_packs_the_libraries_of_the_model_from_its_own(
    evaluated: Evaluated,
    sample_run: Run,
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in TRAINED:
        (model / name).write_bytes((evaluated.folder / name).read_bytes())
    with offered(tmp_path) as index:
        monkeypatch.setattr("basketwise.aws.self_contained.lock_text", lambda _: index.lock)
        gold = ("--gold-path", str(sample_run.gold), "--model-path", str(model))
        main([*gold, *ARGUMENTS, "--self-contained"])
    out = base / "processing" / "output"
    assert is_self_contained(out / ARCHIVE)
    document = json.loads((out / "evaluation.json").read_bytes())
    # What the registry compares with the archive that it fetches.
    assert document["basketwise"]["sha256"] == sha256(out / ARCHIVE)
    assert document["basketwise"]["model_digest"] == model_digest(evaluated.archive)


def test_the_libraries_of_every_model_are_among_those_of_a_job() -> None:
    jobs = pinned(lock_for_jobs())
    for library in Library:
        for name, (version, hashes) in pinned(needed(lock_text(library))).items():
            assert jobs[name][0] == version
            assert hashes <= jobs[name][1]


def pinned(lock: str) -> dict[str, tuple[str, set[str]]]:
    """Return version and hashes of each library of a lock."""
    blocks = (block.partition("==") for block in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.M))
    return {
        name: (rest.split()[0], set(re.findall(r"sha256:\w+", rest)))
        for name, _, rest in blocks
        if rest
    }


def test_without_a_training_nothing_is_judged(base: Path, sample_run: Run) -> None:
    with pytest.raises(InputError, match="There is no training at"):
        main(["--gold-path", str(sample_run.gold)])


def test_an_archive_that_reaches_outside_is_refused(
    base: Path, sample_run: Run, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (tmp_path / "evil").write_text("x")
    with tarfile.open(model / ARCHIVE, "w:gz") as archive:
        archive.add(tmp_path / "evil", "./../escaped")
    with pytest.raises(InputError, match="not a plain file"):
        main(["--gold-path", str(sample_run.gold), "--model-path", str(model)])
    assert not list(base.rglob("escaped"))
