"""A model that uses the customers' history: where it takes it from, and what it says without."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import basketwise as bw
from basketwise.artifact.archive import read_json
from basketwise.config import Config, DeploymentConfig
from basketwise.errors import InputError
from basketwise.evaluation.champion import NoChampion, Scored
from basketwise.evaluation.gate import rule_lines
from basketwise.evaluation.stage import run_evaluation
from basketwise.files import ARCHIVE, HISTORY_FILE, MODEL_METADATA, REPORT_HTML
from basketwise.model.archive import load_model_archive
from basketwise.model.scoring import NO_HISTORY, Model
from basketwise.registry.deployment import build_deployment_config
from basketwise.registry.submission import submission
from basketwise.report.types.document import Report
from basketwise.report.types.run import StartedRun
from basketwise.sampling import draw_lines
from basketwise.schema import PROBABILITIES
from basketwise.serving.batch import predict
from basketwise.serving.champion import score_champion
from basketwise.serving.http.answers import answer
from basketwise.serving.http.baskets import read_request
from basketwise.serving.http.served import Served
from basketwise.serving.versions import open_archive, open_model
from basketwise.storage.local import LocalStorage
from basketwise.training.predictions import CALIBRATED, probability_columns
from basketwise.training.stage import run_training
from tests.cli.calling import call
from tests.etl.customers import by_customer, made
from tests.etl.running import Run, quiet
from tests.fakes.registry import MemoryRegistry

CONFIG = Config.model_validate(
    {
        "training": {"models": ["decision_tree"], "folds": 3},
        "evaluation": {"resamples": 100, "importance_baskets": 100, "importance_repeats": 1},
    }
)
START = StartedRun("run-20260301-120000", "", "", datetime(2026, 3, 1, 12, tzinfo=UTC))


@dataclass(frozen=True)
class Trained:
    """A small shop, its gold and a model of it; not to be changed."""

    lines: pl.DataFrame
    data: Run
    folder: Path
    report: Report

    @property
    def archive(self) -> Path:
        return self.folder / ARCHIVE

    @property
    def history(self) -> Path:
        return self.folder / HISTORY_FILE


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    root = tmp_path_factory.mktemp("trained")
    lines = by_customer(draw_lines(baskets=900, seed=3, weeks=5))
    data = made(lines, root)
    folder = root / "artifacts"
    folder.mkdir()
    run_training(data.gold, folder, CONFIG.training, quiet)
    report = run_evaluation(data.gold, folder, CONFIG, NoChampion(), START)
    return Trained(lines, data, folder, report)


@pytest.fixture(scope="module")
def model(trained: Trained) -> Model:
    return open_archive(trained.archive)


@pytest.fixture
def alone(trained: Trained, tmp_path: Path) -> Path:
    """The archive by itself, as it is given to others."""
    return Path(shutil.copyfile(trained.archive, tmp_path / ARCHIVE))


def raw(trained: Trained) -> pl.DataFrame:
    return trained.lines.drop("BASKET_PRICE_SENSITIVITY")


def test_serving_gives_what_evaluation_judged(trained: Trained, model: Model) -> None:
    judged = pl.read_parquet(trained.folder / "test_predictions.parquet")
    served = judged.join(model.predict(raw(trained)), on="basket_id", how="left")
    for name, column in zip(PROBABILITIES, probability_columns(CALIBRATED), strict=True):
        assert served[name].cast(pl.Float32).equals(judged[column].alias(name))
    right = (served["predicted_sensitivity"] == served["price_sensitivity"]).mean()
    assert right == trained.report["winner"]["accuracy"]["estimate"]
    assert right > 0.8  # type: ignore[operator]


def test_each_group_is_measured_and_the_history_counted(trained: Trained) -> None:
    report, record = trained.report, trained.data.metadata.history
    assert record is not None
    rows = {row["without"]: row["test_accuracy"] or 0 for row in report["leaderboard"]}
    assert rows["customer"] < 0.5 < 0.8 < rows["basket"]
    assert report["drivers"]["importance"][0]["group"] == "customer"
    assert report["data"].get("history") == {
        "customers": record.customers,
        "train_baskets": record.train,
        "test_baskets": record.test,
    }
    page = (trained.folder / REPORT_HTML).read_text(encoding="utf-8")
    assert "Customers’ history" in page
    assert any(HISTORY_FILE in warning for warning in report["verdict"]["warnings"])


def test_the_history_is_beside_the_archive_and_not_in_it(trained: Trained) -> None:
    assert trained.history.read_bytes() == (trained.data.gold / HISTORY_FILE).read_bytes()
    customer = pl.read_parquet(trained.history)["CUST_CODE"][0]
    with tarfile.open(trained.archive) as tar:
        members = [m for m in tar.getmembers() if not m.name.startswith("code/")]
        assert HISTORY_FILE not in [member.name for member in members]
        for member in members:
            stream = tar.extractfile(member)
            assert stream is not None
            assert customer.encode() not in stream.read(), member.name


def test_gate_package_and_deployment_say_what_the_model_needs(trained: Trained) -> None:
    (reason,) = [r for r in trained.report["verdict"]["reasons"] if r["rule"] == "history"]
    assert reason["passed"]
    assert "needs the customers' history" in rule_lines([reason])
    assert read_json(trained.archive, MODEL_METADATA)["needs_history"] is True
    submitted = submission(START.run_id, trained.folder, trained.report)
    assert submitted.tags["needs_history"] == "true"
    assert "history" in submitted.description
    assert HISTORY_FILE not in [path.name for path in submitted.attachments]
    registry = MemoryRegistry()
    version = registry.register(submitted, who="ann")
    results = json.loads((trained.folder / "evaluation_results.json").read_bytes())
    results |= read_json(trained.archive, MODEL_METADATA)
    document = build_deployment_config(
        version, results, DeploymentConfig(), exported_at=datetime(2026, 3, 1, tzinfo=UTC)
    )
    assert document["feature_info"]["needs_history"] is True


def test_without_a_history_every_customer_is_unknown_and_it_is_said(
    trained: Trained, model: Model, alone: Path
) -> None:
    blind = bw.load(alone)
    assert blind.lacks_history
    with pytest.warns(UserWarning, match="has no history of them: every customer counts") as caught:
        scores = blind.predict(raw(trained))
    assert len(caught) == 1
    cardless = raw(trained).with_columns(CUST_CODE=pl.lit(None, pl.String))
    assert model.predict(cardless).equals(scores)
    assert not model.predict(raw(trained)).equals(scores)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_history_can_be_given(
    trained: Trained, model: Model, alone: Path, tmp_path: Path, suffix: str
) -> None:
    given = tmp_path / f"history{suffix}"
    table = pl.read_parquet(trained.history)
    (table.write_csv if suffix == ".csv" else table.write_parquet)(given)
    loaded = bw.load(alone, history=given)
    assert loaded.predict(raw(trained)).equals(model.predict(raw(trained)))
    opened = open_model(Config(), LocalStorage(tmp_path), str(alone), given)
    assert opened.history is not None


def test_the_workspace_has_the_history_of_a_version(
    trained: Trained, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, storage = MemoryRegistry(), LocalStorage(tmp_path / "ws")
    version = registry.register(submission("run-1", trained.folder, trained.report), who="ann")
    for name in ("existing_registry", "finish_export"):
        monkeypatch.setattr(f"basketwise.serving.versions.{name}", lambda *_: registry)
    storage.root.mkdir()
    assert open_model(Config(), storage, version.version).lacks_history
    (storage.root / "artifacts/run-1").mkdir(parents=True)
    shutil.copyfile(trained.history, storage.root / "artifacts/run-1" / HISTORY_FILE)
    opened = open_model(Config(), storage, version.version)
    assert opened.predict(raw(trained)).equals(model.predict(raw(trained)))


def test_a_history_that_is_none_is_refused(alone: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a history"):
        bw.load(alone, history=tmp_path / "absent.parquet")


def test_batches_count_known_customers(trained: Trained, model: Model, tmp_path: Path) -> None:
    data = tmp_path / "new.csv"
    raw(trained).write_csv(data)
    result = predict(str(data), None, model, Config(), quiet, baskets=())
    known = pl.concat(
        table.select(known=pl.col("customer_baskets") > 0)
        for table in (trained.data.train, trained.data.test)
    )
    assert result.unseen.remembered == known["known"].sum() > 0


def test_the_command_line_says_it_once(trained: Trained, alone: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "new.csv", tmp_path / "out.csv"
    raw(trained).write_csv(data)
    where = ("predict", data, "--model", alone, "--out", out)
    blind = call(*where)
    assert blind.err.count(NO_HISTORY) == 1
    assert call(*where, "--json").json["history"] == {"given": False, "baskets": 0}
    told = call(*where, "--history", trained.history, "--json")
    assert told.json["history"]["given"]
    assert told.json["history"]["baskets"] > 0
    assert NO_HISTORY not in told.err
    wrong = call(*where, "--history", data)
    assert (wrong.code, "cannot be read as a history" in wrong.err) == (2, True)


def test_a_request_without_a_history_is_answered_and_says_so(
    trained: Trained, model: Model, alone: Path
) -> None:
    body = json.dumps(
        {"baskets": [{"basket_id": "1", "lines": [{"PROD_CODE": "P", "SPEND": 1, "QUANTITY": 1}]}]}
    ).encode()
    request = read_request(body, "application/json")
    document = answer(request, Served(load_model_archive(alone))).document()
    assert document["history"] == NO_HISTORY
    assert len(document["predictions"]) == 1
    assert "history" not in answer(request, Served(model)).document()


def test_a_champion_knows_what_the_challengers_training_knows(trained: Trained) -> None:
    registry = MemoryRegistry()
    version = registry.register(submission("run-1", trained.folder, trained.report), who="ann")
    scored = score_champion(registry.fetch, version.version, trained.data.silver, trained.data.gold)
    assert isinstance(scored, Scored)
    judged = pl.read_parquet(trained.folder / "test_predictions.parquet")
    predicted = judged.select(probability_columns(CALIBRATED)).to_numpy().argmax(axis=1)
    assert scored.predicted.tolist() == predicted.tolist()


def test_metadata_without_what_unknown_customers_are_is_refused(model: Model) -> None:
    from basketwise.model.archive import _check

    with pytest.raises(ValueError, match="unknown customers"):
        _check(model.metadata.model_copy(update={"history": None}))
    record = model.metadata.history
    assert record is not None
    for shares in ([0.5, 0.5], [2.0, -0.5, -0.5], [0.1, 0.1, 0.1]):
        values: dict[str, Any] = model.metadata.model_dump()
        values["history"] = record.model_dump() | {"shares": shares}
        with pytest.raises(ValueError, match=r"shares|add up"):
            type(model.metadata).model_validate(values)
    assert replace(model, history=None).lacks_history
