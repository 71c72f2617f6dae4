from __future__ import annotations

from typing import Any

import pytest

from basketwise.errors import InputError
from basketwise.training import compatibility
from basketwise.training.compatibility import check_versions
from basketwise.training.persistence import dump_model
from tests.evaluation.running import CONFIG
from tests.training.made_up import made_up


@pytest.fixture(scope="module")
def models() -> dict[str, bytes]:
    from basketwise.training.candidates import build

    train = made_up(300)
    return {
        name: dump_model(build(name, CONFIG.training, train.y.size).fit(train.X, train.y))
        for name in ("logistic", "random_forest", "xgboost")
    }


def installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """Pretend that other versions are installed."""
    given = {"scikit-learn": versions.get("sklearn", ""), "xgboost-cpu": versions.get("xgb", "")}
    monkeypatch.setattr(compatibility, "_installed", lambda name: given.get(name, ""))


@pytest.mark.parametrize("name", ["logistic", "random_forest"])
@pytest.mark.parametrize(
    ("trained", "now"), [("1.9.1", "1.7.2"), ("1.7.2", "1.9.1"), ("1.9.1", "2.9.1")]
)
def test_another_minor_version_of_scikit_learn_is_refused_with_both_versions(
    models: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, name: str, trained: str, now: str
) -> None:
    installed(monkeypatch, sklearn=now)
    with pytest.raises(InputError) as caught:
        check_versions(models[name], {"scikit-learn": trained})
    assert f"trained with scikit-learn {trained}; installed is {now}" in caught.value.headline
    assert f"pip install 'scikit-learn=={trained}'" in caught.value.hint


def test_another_major_version_of_xgboost_is_refused(
    models: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, xgb="3.2.0", sklearn="1.9.1")
    with pytest.raises(InputError, match=r"trained with XGBoost 4\.0\.1; installed is 3\.2\.0"):
        check_versions(models["xgboost"], {"xgboost": "4.0.1", "scikit-learn": "1.9.1"})


@pytest.mark.parametrize(
    ("name", "trained"),
    [
        ("logistic", {"scikit-learn": "1.9.0", "numpy": "1.0"}),
        ("logistic", {"scikit-learn": "1.9.2.post1"}),
        ("xgboost", {"xgboost": "3.0.0", "scikit-learn": "1.7.2"}),
        ("logistic", {"scikit-learn": "absent"}),
        ("logistic", {}),
        ("logistic", None),
        ("logistic", ["scikit-learn"]),
    ],
)
def test_what_scores_the_same_or_tells_nothing_is_accepted(
    models: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, name: str, trained: Any
) -> None:
    installed(monkeypatch, xgb="3.2.0", sklearn="1.9.1")
    check_versions(models[name], trained)


@pytest.mark.parametrize("data", [b"", b"no zip file"])
def test_damaged_files_are_left_to_the_loader(data: bytes) -> None:
    check_versions(data, {"scikit-learn": "0.1"})


def test_the_installed_versions_are_accepted(models: dict[str, bytes]) -> None:
    from basketwise.provenance import library_versions

    for data in models.values():
        check_versions(data, library_versions())
