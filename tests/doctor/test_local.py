"""Each check in its states: what is found, and how to mend it."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from basketwise.config import Config, RegistryConfig
from basketwise.doctor.check import Check
from basketwise.doctor.local import examine
from basketwise.errors import ConfigError
from basketwise.run.workspace import Workspace, open_workspace
from basketwise.storage import opening
from tests.cli.till import changed, delivered, delivery, relabelled, without
from tests.mlflow_server import free_port

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(str(tmp_path / "w"))


def checks(
    workspace: Workspace, data: Path | None = None, config: Config | None = None
) -> dict[str, Check]:
    return looked(workspace.storage.location, data, config)


def looked(
    location: str, data: Path | None = None, config: Config | None = None
) -> dict[str, Check]:
    results = examine(location, lambda: config or Config(), str(data) if data else None)
    return {check.name: check for check in results}


def test_all_is_well(workspace: Workspace, tmp_path: Path) -> None:
    results = checks(workspace, delivered(tmp_path / "raw", delivery()))

    assert list(results) == ["config", "workspace", "data", "disk", "memory", "registry"]
    assert {check.state for check in results.values() if check.name != "memory"} == {"ok"}
    assert results["data"].text == "1 file: 360 lines, 0 unusable"
    assert results["registry"].text == "embedded; created by the first run"


def test_looking_leaves_no_trace(workspace: Workspace, tmp_path: Path) -> None:
    checks(workspace)

    assert list(tmp_path.iterdir()) == []


def test_a_workspace_that_is_there_stays(workspace: Workspace) -> None:
    workspace.storage.write("gold/a", b"1")

    assert checks(workspace)["workspace"].state == "ok"
    assert workspace.storage.read("gold/a") == b"1"
    assert not workspace.storage.exists(".doctor")


def test_a_wrong_config_is_the_only_finding(workspace: Workspace) -> None:
    def wrong() -> Config:
        raise ConfigError("split.size is not a setting.", "Settings of split: …")

    assert list(examine(workspace.storage.location, wrong, None)) == [
        Check("config", "failed", "split.size is not a setting.", "Settings of split: …")
    ]


def test_a_workspace_in_use(workspace: Workspace) -> None:
    with workspace.storage.exclusive():
        check = checks(workspace)["workspace"]

    assert check.state == "failed"
    assert "Another run is using" in check.text


def test_a_workspace_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    check = checks(open_workspace(str(tmp_path / "file" / "w")))["workspace"]

    assert check.state == "failed"
    assert "cannot be written to" in check.text
    assert check.fix


@pytest.mark.parametrize("kind", ["a file", "another kind"])
def test_a_workspace_that_cannot_be_opened_hides_nothing_else(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("x")
    location = str(tmp_path / "file") if kind == "a file" else "gs://bucket"
    raw = delivered(tmp_path / "raw", delivery())

    results = looked(location, raw)
    server = looked(location, config=Config(registry=RegistryConfig(uri="ftp://host")))

    assert list(results) == ["config", "workspace", "data", "memory"]
    assert (results["workspace"].state, results["workspace"].exit_code) == ("failed", 2)
    assert results["workspace"].fix
    assert results["data"].state == "ok"
    assert "ftp://host" in server["registry"].text


def test_data_that_is_not_there(workspace: Workspace, tmp_path: Path) -> None:
    results = checks(workspace, tmp_path / "none")

    assert results["data"].state == "failed"
    assert "No raw files found" in results["data"].text
    # How much room they need is not known; the error is not repeated.
    assert "disk" not in results


def test_a_column_that_is_missing(workspace: Workspace, tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", without(delivery(), "SPEND"))

    check = checks(workspace, raw)["data"]

    assert check.state == "failed"
    assert "SPEND" in check.text


def test_some_lines_that_cannot_be_used_are_a_warning(workspace: Workspace, tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", changed(delivery(), range(5), SPEND="free"))

    check = checks(workspace, raw)["data"]

    text = "1 file: 360 lines, 5 unusable (5 spend_not_a_number)"
    assert (check.state, check.text) == ("warning", text)


def test_files_that_are_not_read_are_named(workspace: Workspace, tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    (raw / "manual.pdf").touch()
    document = checks(workspace, raw)["data"]
    (raw / "week 2.xlsx").touch()
    found = checks(workspace, raw)["data"]

    assert (document.state, found.state) == ("ok", "warning")
    assert document.text.endswith("; 1 file skipped (a document): manual.pdf.")
    assert "1 file skipped (a spreadsheet): week 2.xlsx. Export each sheet" in found.text


def test_no_usable_line_at_all_is_a_failure(workspace: Workspace, tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", relabelled(delivery(), "AA"))

    check = checks(workspace, raw)["data"]

    assert check.state == "failed"
    assert "360 unknown_label" in check.text
    assert check.profile is not None
    assert check.profile.rejected == {"unknown_label": 360}


@pytest.mark.parametrize(
    ("strategy", "column", "value", "message"),
    [
        ("time", "SHOP_WEEK", "200607", "needs two weeks; the data contains only 200607"),
        ("customer", "CUST_CODE", " ", "needs customer codes; the column CUST_CODE is missing"),
    ],
)
def test_a_split_that_the_data_does_not_allow(
    strategy: str, column: str, value: str, message: str, workspace: Workspace, tmp_path: Path
) -> None:
    raw = delivered(tmp_path / "raw", changed(delivery(), range(360), **{column: value}))
    config = Config.model_validate({"split": {"strategy": strategy}})

    check = checks(workspace, raw, config)["data"]

    assert check.state == "failed"
    assert message in check.text
    assert "--split stratified" in check.fix
    stratified = Config.model_validate({"split": {"strategy": "stratified"}})
    assert checks(workspace, raw, stratified)["data"].state == "ok"


def test_the_split_is_looked_at_in_all_files(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").write_text("shop_week,date_from,date_to\n200607,1,2\n")
    raw = delivered(tmp_path / "raw", changed(delivery(), range(360), SHOP_WEEK="200607"))

    assert "the data contains only 200607" in checks(workspace, raw)["data"].text


def test_a_product_file_in_a_bucket_is_copied_first(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = tmp_path / "items.csv"
    items.write_text(f"PROD_CODE,PROD_NAME\n{delivery()[0]['PROD_CODE']},Milk\n")
    monkeypatch.setattr(opening, "local_copy", lambda path, config: str(items) if path else "")
    config = Config.model_validate({"data": {"products": "s3://bucket/items.csv"}})

    results = checks(workspace, delivered(tmp_path / "raw", delivery()), config)

    made = results["data"].profile
    assert made is not None
    assert made.product_file is not None
    assert made.product_file.sold.named_products == 1
    assert results["disk"].state == "ok"


def test_the_calendar_alone_contains_no_lines(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "time.csv").write_text("shop_week,date_from,date_to\n200607,20060410,20060416\n")

    check = checks(workspace, tmp_path / "time.csv")["data"]

    assert (check.state, check.text) == ("warning", "time.csv contains no till lines")


def test_a_full_disk_is_a_warning(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10, 9, 1))

    check = checks(workspace, raw)["disk"]

    assert check.state == "warning"
    assert check.text.startswith("0.0 GB free")
    assert "Free some space" in check.fix


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the size is not known here")
@pytest.mark.parametrize(("gib", "state"), [(2, "warning"), (4, "ok")])
def test_little_memory_is_a_warning(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, gib: int, state: str
) -> None:
    sizes = {"SC_PHYS_PAGES": gib * 2**18, "SC_PAGE_SIZE": 2**12}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)

    check = checks(workspace)["memory"]

    assert check.state == state
    assert check.text.startswith(f"{gib}.0 GiB")


def test_a_registry_that_does_not_answer(workspace: Workspace) -> None:
    config = Config(registry=RegistryConfig(uri=f"http://127.0.0.1:{free_port()}"))

    check = checks(workspace, config=config)["registry"]

    assert check.state == "failed"
    assert "cannot be reached" in check.text
    assert "registry.uri" in check.fix


def test_a_registry_of_a_kind_that_is_not_known(workspace: Workspace) -> None:
    config = Config(registry=RegistryConfig(uri="ftp://host"))

    assert checks(workspace, config=config)["registry"].state == "failed"
