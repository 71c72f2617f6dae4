from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from basketwise.aws.container.processing import main
from basketwise.errors import ConfigError, InputError
from basketwise.etl.chunks import weeks
from tests.etl.running import Run


def test_the_job_leaves_what_the_stage_does(
    sample: Path, sample_run: Run, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = base / "processing" / "output"
    main(["--input-path", str(sample), "--bucket-name", "a-bucket"])
    assert sorted(path.name for path in output.iterdir()) == ["gold", "silver"]
    for name in ("train_features.parquet", "test_features.parquet", "product_index.parquet"):
        assert pl.read_parquet(output / "gold" / name).equals(
            pl.read_parquet(sample_run.gold / name)
        )
    assert len(weeks(output / "silver")) == 6
    said = capsys.readouterr()
    assert f"{sample_run.metadata.lines.read:,} lines read" in said.out
    assert "s3://a-bucket" in said.out
    assert "reading 6/6" in said.err


def test_settings_come_from_the_environment(
    sample: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASKETWISE_FEATURES__GROUPS", "basket")
    main(["--input-path", str(sample), "--output-path", str(tmp_path / "out")])
    assert not (tmp_path / "out" / "gold" / "product_index.parquet").exists()


def test_bad_settings_and_missing_data_are_refused(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="No raw files found"):
        main([])
    with pytest.raises(ConfigError, match="--colour"):
        main(["--colour", "red"])
    monkeypatch.setenv("BASKETWISE_ETL__OUTLIERS", "eat")
    with pytest.raises(ConfigError, match=r"etl\.outliers"):
        main([])
