from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from basketwise.artifact.archive import pack, unpack, write_manifest
from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.example import example_of
from basketwise.deploy.library import Library, check_lock, library_of
from basketwise.digests import sha256
from basketwise.errors import InputError
from basketwise.etl.gold.tables import TRAIN_FILE
from basketwise.files import MODEL, NOVELTY
from basketwise.model.archive import load_model_archive
from basketwise.registry.protocol import ApprovalState, ArchiveError
from basketwise.training.candidates import build
from basketwise.training.examples import read_examples
from basketwise.training.persistence import dump_model
from tests.deploy.conftest import Shop
from tests.etl.running import Run
from tests.evaluation.running import CONFIG, Evaluated


def latest(shop: Shop) -> Path:
    return Path(shop.storage.location) / "deployment-configs" / "latest_model_config.json"


def change(shop: Shop, section: str, **values: object) -> None:
    document = json.loads(latest(shop).read_bytes())
    document[section] |= values
    latest(shop).write_text(json.dumps(document), encoding="utf-8")


def test_it_is_the_exported_champion(shop: Shop, tmp_path: Path) -> None:
    model = shop.approved(tmp_path)
    assert (model.version, model.sha256) == ("1", sha256(shop.archive))
    assert sha256(model.archive) == model.sha256
    assert model.tag == f"1-{model.sha256[:12]}"
    assert model.library is Library.TREE
    assert model.deployment.auto_scaling.target_cpu_utilization == 70
    assert model.group == "retail-price-sensitivity-models"


@pytest.mark.parametrize("state", [ApprovalState.REJECTED, ApprovalState.PENDING])
def test_a_version_that_is_not_approved_any_more_is_refused(
    shop: Shop, tmp_path: Path, state: ApprovalState
) -> None:
    shop.set_state("1", state)
    with pytest.raises(InputError, match=rf"Version 1 is not deployed: .* is {state} now\."):
        shop.approved(tmp_path)


def test_a_version_that_another_has_followed_is_refused(shop: Shop, tmp_path: Path) -> None:
    shop.set_state(shop.register(), ApprovalState.APPROVED)
    with pytest.raises(InputError, match="names version 1, but the champion is version 2"):
        shop.approved(tmp_path)


def test_without_an_export_there_is_nothing_to_deploy(shop: Shop, tmp_path: Path) -> None:
    latest(shop).unlink()
    with pytest.raises(InputError, match="no version is approved"):
        shop.approved(tmp_path)


def test_a_configuration_of_a_version_that_waits_is_refused(shop: Shop, tmp_path: Path) -> None:
    change(shop, "model_info", approval_status="PendingManualApproval")
    with pytest.raises(InputError, match=r"cannot be deployed: model_info\.approval_status"):
        shop.approved(tmp_path)


def test_the_archive_is_compared_with_the_exported_digest(shop: Shop, tmp_path: Path) -> None:
    change(shop, "model_info", model_sha256="0" * 64)
    with pytest.raises(ArchiveError, match="is not the one that"):
        shop.approved(tmp_path)


def test_a_changed_archive_is_refused(shop: Shop, tmp_path: Path) -> None:
    shop.registry.archives["1"] += b"\0"
    with pytest.raises(ArchiveError):
        shop.approved(tmp_path)


def test_the_example_is_of_the_model_and_has_its_answer(model: ApprovedModel) -> None:
    scorer = load_model_archive(model.archive)
    example = example_of(scorer)
    assert example == model.example
    baskets = example.request["baskets"]
    assert [basket["basket_id"] for basket in baskets] == [
        row["basket_id"] for row in example.answer
    ]
    codes = {line["PROD_CODE"] for basket in baskets for line in basket["lines"]}
    assert codes & set(scorer.products)
    lines = [
        {"BASKET_ID": basket["basket_id"], **line} for basket in baskets for line in basket["lines"]
    ]
    answer = pl.DataFrame(scorer.predict(lines))
    assert answer["p_low"].to_list() == [row["p_low"] for row in example.answer]
    json.dumps([example.request, example.answer], allow_nan=False)


@pytest.mark.parametrize(
    ("names", "library"),
    [
        (("decision_tree",), Library.TREE),
        (("xgboost",), Library.XGBOOST),
        (("logistic",), Library.SKLEARN),
        (("xgboost", "decision_tree"), Library.XGBOOST),
        (("random_forest", "xgboost"), Library.BOTH),
    ],
)
def test_all_estimators_of_an_archive_count(
    evaluated: Evaluated, sample_run: Run, tmp_path: Path, names: Sequence[str], library: Library
) -> None:
    folder, archive = tmp_path / "model", tmp_path / "model.tar.gz"
    folder.mkdir()
    unpack(evaluated.archive, folder)
    (folder / NOVELTY).unlink(missing_ok=True)
    train = read_examples(sample_run.gold / TRAIN_FILE, evaluated.record.feature_columns)
    for file, name in zip((MODEL, NOVELTY), names, strict=False):
        fitted = build(name, CONFIG.training, train.y.size).fit(train.X, train.y)
        (folder / file).write_bytes(dump_model(fitted))
    write_manifest(folder, {})
    pack(folder, archive)
    assert library_of(archive) is library


def test_a_lock_of_another_version_of_the_library_is_refused() -> None:
    with pytest.raises(InputError, match=r"trained with scikit-learn 0\.24\.1"):
        check_lock(Library.SKLEARN, {"scikit-learn": "0.24.1"})
    check_lock(Library.TREE, {"scikit-learn": "0.24.1", "xgboost-cpu": "0.9"})
    check_lock(Library.BOTH, {"scikit-learn": "absent"})
