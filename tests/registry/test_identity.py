from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from basketwise.artifact.archive import pack, write_manifest
from basketwise.errors import InputError
from basketwise.registry.identity import model_digest

METADATA: dict[str, Any] = {
    "feature_columns": ["total_spend"],
    "groups": ["basket", "product"],
    "encoders": {"store_format": ["XL"], "store_region": []},
    "outliers": {"treatment": "clip", "threshold": 9.5, "quantile": 0.99, "lines": 3},
    "etl_timestamp": "2026-03-01T12:00:00+00:00",
}
CALIBRATION = {"method": "temperature", "temperature": 1.5, "description": "on 900 predictions"}

SECOND = {"share": 0.1, "calibration": CALIBRATION}
WITH_SECOND: dict[str, Any] = {
    "novelty__skops": b"more trees",
    "calibration__json": CALIBRATION | {"new_products": SECOND},
}


def digest_of(folder: Path, **changes: Any) -> str:
    files: dict[str, Any] = {
        "model.skops": b"trees",
        "product_index.parquet": b"scores",
        "metadata.json": METADATA,
        "calibration.json": CALIBRATION,
        "evaluation_results.json": {"training_timestamp": "2026-03-01T12:00:00+00:00"},
        "model_comparison.png": b"a picture",
    } | {name.replace("__", "."): content for name, content in changes.items()}
    package = folder / f"{len(list(folder.iterdir()))}"
    package.mkdir()
    for name, content in files.items():
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (package / name).write_bytes(data)
    write_manifest(package, {"created": str(package)})
    archive = folder / f"{package.name}.tar.gz"
    pack(package, archive)
    return model_digest(archive)


@pytest.mark.parametrize(
    "change",
    [
        {"model_comparison__png": b"another picture"},
        {"evaluation_results__json": {"training_timestamp": "later"}},
        {"report__json": {"slices": ["STORE_FORMAT"]}},
        {"metadata__json": METADATA | {"etl_timestamp": "later", "train_samples": 5}},
        {"calibration__json": CALIBRATION | {"description": "said in other words"}},
    ],
)
def test_what_decides_no_prediction_changes_no_identity(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    assert digest_of(tmp_path, **change) == digest_of(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"model__skops": b"other trees"},
        {"product_index__parquet": b"other scores"},
        {"calibration__json": CALIBRATION | {"temperature": 1.6}},
        {"metadata__json": METADATA | {"feature_columns": ["avg_spend"]}},
        {"metadata__json": METADATA | {"groups": ["basket"]}},
        {"metadata__json": METADATA | {"encoders": {"store_format": [], "store_region": []}}},
        {"metadata__json": METADATA | {"outliers": {"treatment": "clip", "threshold": 9.6}}},
        {"metadata__json": METADATA | {"outliers": {"treatment": "keep", "threshold": 9.5}}},
    ],
)
def test_what_decides_predictions_does(tmp_path: Path, change: dict[str, Any]) -> None:
    assert digest_of(tmp_path, **change) != digest_of(tmp_path)


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"no archive")
    with pytest.raises(InputError):
        model_digest(tmp_path / "model.tar.gz")


def test_a_second_model_is_part_of_the_identity(tmp_path: Path) -> None:
    digest = digest_of(tmp_path, **WITH_SECOND)
    assert digest == digest_of(tmp_path, **WITH_SECOND)
    assert digest != digest_of(tmp_path)
    assert digest != digest_of(tmp_path, **WITH_SECOND | {"novelty__skops": b"other trees"})
    other = CALIBRATION | {"new_products": SECOND | {"share": 0.25}}
    assert digest != digest_of(tmp_path, **WITH_SECOND | {"calibration__json": other})


def test_what_is_said_of_its_calibration_is_not(tmp_path: Path) -> None:
    reworded = SECOND | {"calibration": CALIBRATION | {"description": "said in other words"}}
    again = WITH_SECOND | {"calibration__json": CALIBRATION | {"new_products": reworded}}
    assert digest_of(tmp_path, **again) == digest_of(tmp_path, **WITH_SECOND)
