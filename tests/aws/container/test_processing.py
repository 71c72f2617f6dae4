from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from basketwise.aws.container.processing import main
from basketwise.aws.skipped import FILE, skipped_document
from basketwise.digests import content
from basketwise.errors import ConfigError, InputError
from basketwise.etl.gold.metadata import read_metadata
from basketwise.etl.raw.sources import Skipped
from basketwise.etl.silver.chunks import weeks
from tests.aws.double.mounts import NOT_ALLOWED, inside, may_mount
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
    printed = capsys.readouterr()
    assert f"{sample_run.metadata.lines.read:,} lines read" in printed.out
    assert "s3://a-bucket" in printed.out
    assert "reading 6/6" in printed.err


def test_files_that_were_not_uploaded_are_named(sample: Path, base: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(sample, raw)
    (raw / "notes.docx").touch()
    lost = Skipped(name="week.xlsx", reason="a spreadsheet", hint="Export it.", is_data=True)
    own = Skipped(name="notes.docx", reason="copied", hint="", is_data=False)
    (raw / FILE).write_bytes(skipped_document([lost, own]))

    main(["--input-path", str(raw)])

    metadata = read_metadata(base / "processing" / "output" / "gold")
    assert [file.name for file in metadata.skipped] == ["notes.docx", "week.xlsx"]
    assert metadata.warnings == ["1 file skipped (a spreadsheet): week.xlsx. Export it."]
    (raw / FILE).write_text("{")
    with pytest.raises(InputError, match=r"_skipped\.json beside the raw files cannot be read"):
        main(["--input-path", str(raw)])


def test_settings_come_from_the_environment(
    sample: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASKETWISE_FEATURES__GROUPS", "basket")
    main(["--input-path", str(sample), "--output-path", str(tmp_path / "out")])
    assert not (tmp_path / "out" / "gold" / "product_index.parquet").exists()


def test_lines_are_held_against_their_record(sample: Path, base: Path, tmp_path: Path) -> None:
    main(["--input-path", str(sample)])
    silver = base / "processing" / "output" / "silver"
    (silver / "stray.parquet").write_bytes(b"other lines")

    with pytest.raises(InputError, match=r"stray\.parquet was not there before"):
        main(["--silver-path", str(silver), "--output-path", str(tmp_path)])
    (silver / "stray.parquet").unlink()
    main(["--silver-path", str(silver), "--output-path", str(tmp_path)])
    assert read_metadata(tmp_path / "gold").lines.read > 0


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


def test_each_output_may_be_a_mount_of_its_own(
    sample: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = base / "processing" / "output"
    mounts = (output / "silver", output / "gold", output)

    def mount(path: Path) -> Path:
        return next((mount for mount in mounts if path.is_relative_to(mount)), Path("/"))

    def within_a_mount(move: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def checked(self: Path, target: Path) -> Path:
            if mount(self) != mount(target):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(self))
            return move(self, target)

        return checked

    monkeypatch.setattr(Path, "replace", within_a_mount(Path.replace))
    monkeypatch.setattr(Path, "rename", within_a_mount(Path.rename))
    main(["--input-path", str(sample)])
    assert len(weeks(output / "silver")) == 6
    assert not list(output.rglob(".*"))


@pytest.mark.skipif(not may_mount(), reason=NOT_ALLOWED)
def test_inputs_and_outputs_on_real_mounts(sample: Path, base: Path) -> None:
    folders = [base / "processing" / name for name in ("input", "output/silver", "output/gold")]
    raw, silver, gold = folders
    shutil.copytree(sample, raw)
    for folder in (silver, gold):
        folder.mkdir(parents=True)
    quick = {"BASKETWISE_FEATURES__TRIED": "[]", "BASKETWISE_INDEX__REFINE_ROUNDS": "1"}
    env = {**os.environ, **quick}
    command = [sys.executable, "-m", "basketwise.aws.container", "processing"]
    mounts = [(str(raw), True), (str(silver), False), (str(gold), False)]
    job = inside(mounts, command)
    made = subprocess.run(job, env=env, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert len(weeks(silver)) == 6
    digests = content(gold)
    assert not list(base.rglob(".scratch*"))

    # Once more, of the silver that there is.
    shutil.rmtree(gold)
    gold.mkdir()
    mounts = [(str(silver), True), (str(gold), False)]
    again = inside(mounts, [*command, "--silver-path", str(silver)])
    made = subprocess.run(again, env=env, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert features(content(gold)) == features(digests)
    assert not list(base.rglob(".scratch*"))


def features(digests: dict[str, str]) -> dict[str, str]:
    """Leave out what says when it was made."""
    return {name: digest for name, digest in digests.items() if name.endswith(".parquet")}
