"""Folders and files of any name that the system allows, from the sample to the predictions."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.cli.calling import SMALL, called

NAMES = ["-a [b]*{c}? #&+%20~", "100% 'é' \"\n$HOME;\\"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    raw, workspace, out = (f"{name}.{kind}" for kind in ("raw", "workspace", "out"))
    config = f"{name}.toml"
    Path(config).write_text('[training]\nmodels = ["decision_tree"]\n')
    if name == NAMES[0]:
        called("sample", "--out", raw, "--baskets", "300", "--weeks", "2", "--no-compress")
    else:
        Path(raw).symlink_to(sample)
    common = ("--workspace", workspace, "--config", config)

    called("doctor", "--data", raw, *common)
    run = called("run", "--data", raw, *common, *SMALL, "--set", "training.models=decision_tree")
    versions = called("models", "list", *common, "--json").json
    files = [str(Path(out) / f"{name}.{kind}") for kind in ("csv", "parquet")]
    for file in files:
        called("predict", "--data", raw, "--model", "1", "--out", file, *common)

    assert "Traceback" not in run.err
    assert len(versions["versions"]) == 1
    assert (
        Path(files[0]).read_text().count("\n") == pl.read_parquet(files[1], glob=False).height + 1
    )
    # Nothing is written anywhere else.
    assert {path.name for path in tmp_path.iterdir()} == {raw, workspace, out, config}
