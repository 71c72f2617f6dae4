"""What is wrong with the user's input, settings or machine ends with a headline and a hint.

Every case runs against a workspace with earlier outputs, which must be the same bytes afterwards.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from basketwise.etl.silver import partitions
from basketwise.storage.local import LocalStorage
from tests.cli.calling import SMALL, Outcome, call, called, clean_environment, command, contents
from tests.cli.till import changed, delivered, delivery, relabelled, without
from tests.mlflow_server import free_port
from tests.raw_lines import LABEL, csv_text

TIME = ("--split", "time")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with data of an earlier run; not to be changed."""
    root = tmp_path_factory.mktemp("finished")
    called("etl", "--data", delivered(root / "raw", delivery()), "--workspace", root / "w", *SMALL)
    run = root / "w" / "artifacts" / "run-20260101-000000"
    run.mkdir(parents=True)
    (run / "report.json").write_text("{}")
    return root / "w"


@pytest.fixture
def workspace(finished: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it; whatever a test does, the outputs must stay as they were."""
    copy = tmp_path / "w"
    shutil.copytree(finished, copy)
    before = contents(copy)
    yield copy
    assert contents(copy) == before
    assert not (copy / ".staging").exists()


def refused(outcome: Outcome, *named: str, code: int = 2) -> None:
    """Insist on an exit code, a headline that names things, a hint, and nothing else."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert "should not have happened" not in outcome.err
    for name in named:
        assert name in outcome.err
    headline, hint = outcome.err.strip().splitlines()[-2:]
    assert headline.endswith((".", ")."))
    assert hint.endswith((".", "?", "PATH"))


def run(data: Path | str, workspace: Path, *more: str) -> Outcome:
    return call("run", "--data", data, "--workspace", workspace, *SMALL, *more)


def gzipped(folder: Path) -> None:
    packed = gzip.compress(csv_text(delivery()).encode())
    (folder / "till.csv.gz").write_bytes(packed[: len(packed) // 2])


def zipped(folder: Path) -> None:
    with zipfile.ZipFile(folder / "till.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("till.csv", csv_text(delivery()))
    data = bytearray((folder / "till.zip").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = b"\xff" * 64
    (folder / "till.zip").write_bytes(data)


def truncated_zip(folder: Path) -> None:
    zipped(folder)
    data = (folder / "till.zip").read_bytes()
    (folder / "till.zip").write_bytes(data[: len(data) // 2])


def text(written: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "till.csv").write_text(written)

    return write


def latin(folder: Path) -> None:
    lines = changed(delivery(), range(7, 8), STORE_CODE="Gülle")
    (folder / "till.csv").write_bytes(csv_text(lines).encode("latin-1"))


HEADER = csv_text(delivery(1)).splitlines()[0]
FEW = [item for item in delivery() if item[LABEL] != "UM"] + [
    item for item in delivery(9) if item[LABEL] == "UM"
]
DELIVERIES: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "no column SPEND": (
        text(csv_text(without(delivery(), "SPEND"))),
        ("till.csv", "lacks the required column SPEND", "Found: SHOP_WEEK"),
    ),
    "no label column": (
        text(csv_text(without(delivery(), LABEL))),
        ("till.csv", f"lacks the required column {LABEL}"),
    ),
    "empty file": (text(""), ("'till.csv' is empty",)),
    "header alone": (text(HEADER + "\n"), ("till.csv", "no lines")),
    "The Complete Journey": (
        text(
            "household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,SALES_VALUE,STORE_ID,RETAIL_DISC\n"
            "2375,26984851472,1,1004906,1,1.39,364,-0.6\n"
        ),
        ("till.csv", "The Complete Journey", "Let's Get Sort-of-Real"),
    ),
    "spreadsheet damage": (
        text(csv_text(changed(delivery(), range(3, 9), BASKET_ID="9.94E+14"))),
        ("till.csv", "BASKET_ID", "'9.94E+14'", "line 5", "spreadsheet"),
    ),
    "broken gzip": (gzipped, ("'till.csv.gz' is a broken gzip",)),
    "broken zip": (zipped, ("till.zip", "is a broken zip")),
    "cut-off zip": (truncated_zip, ("'till.zip' is a broken zip",)),
    "unknown label everywhere": (
        text(csv_text(relabelled(delivery(), "AA"))),
        ("None of the 360 lines can be used", "360 unknown_label", "data.labels"),
    ),
    "one class": (text(csv_text(relabelled(delivery(), "MM"))), ("All baskets are Medium",)),
    "unclassified only": (
        text(csv_text(relabelled(delivery(), "XX"))),
        ("No basket has one of the classes", "data.labels"),
    ),
    "fewer baskets than folds": (
        text(csv_text(FEW)),
        ("baskets of class Low, fewer than the 2 folds", "training.folds"),
    ),
    "not UTF-8": (latin, ("'till.csv' is not UTF-8", "line 9", "0xfc", "data.encoding")),
    "another format": (lambda folder: (folder / "till.xlsx").touch(), ("No raw files found",)),
}


@pytest.mark.parametrize("case", DELIVERIES)
def test_data_that_cannot_be_used(case: str, workspace: Path, tmp_path: Path) -> None:
    write, named = DELIVERIES[case]
    raw = tmp_path / "raw"
    raw.mkdir()
    write(raw)

    refused(run(raw, workspace), *named)


def test_data_that_is_not_there(workspace: Path, tmp_path: Path) -> None:
    refused(run(tmp_path / "none", workspace), "No raw files found", "none")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--split", "random"), ("split.strategy is 'random'", "'time', 'stratified'")),
        (("--models", "logistic,svm"), ("training.models", "'svm'", "'decision_tree'")),
        (("--set", "split.size=1"), ("split.size is not a setting", "Settings of split")),
        (("--set", "training.folds=1"), ("training.folds is 1",)),
        (("--config", "none.toml"), ("none.toml", "No such file", "basketwise init")),
        (("--workspace", "ftp://host/folder"), ("ftp://host/folder", "s3://bucket/prefix")),
    ],
)
def test_settings_that_cannot_be_used(
    more: tuple[str, ...], named: tuple[str, ...], workspace: Path, tmp_path: Path
) -> None:
    raw = delivered(tmp_path / "raw", delivery())

    refused(run(raw, workspace, *more), *named)


def test_a_parameter_that_the_model_does_not_have(workspace: Path) -> None:
    flag = ("--set", "training.decision_tree.depth=3")

    refused(call("train", "--workspace", workspace, *SMALL, *flag), "decision_tree", "'depth'")


def test_a_workspace_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("mine")

    refused(run(tmp_path, tmp_path / "w"), "w' is a file, not a folder", "--workspace")
    assert (tmp_path / "w").read_text() == "mine"


@pytest.mark.parametrize("stage", ["run", "etl", "train", "evaluate", "register"])
def test_a_workspace_that_another_run_uses(stage: str, workspace: Path, tmp_path: Path) -> None:
    data = ("--data", str(tmp_path)) if stage in {"run", "etl"} else ()

    with LocalStorage(workspace).exclusive():
        outcome = call(stage, *data, "--workspace", workspace)

    refused(outcome, "Another run is using the workspace", "choose another --workspace")


def test_a_registry_that_does_not_answer_is_reported_before_the_work(
    workspace: Path, tmp_path: Path
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    raw = delivered(tmp_path / "raw", delivery())

    outcome = run(raw, workspace, "--set", f"registry.uri={uri}")

    refused(outcome, uri, "cannot be reached", "registry.uri", code=3)
    assert "ETL" not in outcome.err


def test_no_room_while_a_stage_writes(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(lines: object, path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(partitions, "write_lines", full)

    outcome = run(delivered(tmp_path / "raw", delivery()), workspace, "--force")
    refused(outcome, "No room left on the disk")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KB, where one can be had."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mounting, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_no_room_on_a_real_disk(tiny_disk: Path, finished: Path, sample: Path) -> None:
    workspace = tiny_disk / "w"
    shutil.copytree(finished, workspace)
    before = contents(workspace)

    outcome = run(sample, workspace)

    refused(outcome, "No room left on the disk", "earlier outputs are as they were")
    assert contents(workspace) == before
    assert not (workspace / ".staging").exists()


LONG = (
    *("--set", "training.models=random_forest"),
    *("--set", "training.random_forest.n_estimators=150"),
    *("--set", "training.folds=30"),
)
"""A training of many short pieces, long enough to be stopped in."""


def training(data: Path, workspace: Path) -> subprocess.Popen[bytes]:
    """Start a run, and return when its training is under way."""
    process = subprocess.Popen(
        command("run", "--data", data, "--workspace", workspace, *LONG),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
    )
    assert process.stderr
    first = process.stderr.readline()
    assert first.startswith(b"ETL"), first
    time.sleep(1)
    assert process.poll() is None
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGINT for one process")
def test_ctrl_c_leaves_everything_as_it_was(workspace: Path, sample: Path) -> None:
    with training(sample, workspace) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 130, err
    assert out == b""
    assert b"Interrupted.\nEarlier outputs are as they were.\n" in err
    assert b"Traceback" not in err
    # An empty registry may be there by now: it is made while the models are trained. A model that
    # was finished is kept, so that the next run need not train it again.
    for name in ("registry", "checkpoints"):
        shutil.rmtree(workspace / name, ignore_errors=True)
    with LocalStorage(workspace).exclusive():
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_after_a_kill_the_next_run_works(finished: Path, tmp_path: Path, sample: Path) -> None:
    workspace = tmp_path / "w"
    shutil.copytree(finished, workspace)
    before = contents(workspace)
    with training(sample, workspace) as process:
        process.kill()
        process.communicate(timeout=60)
    left = contents(workspace)
    assert any(name.startswith(".staging/") for name in left)
    assert {name: left[name] for name in before} == before

    called("etl", "--data", sample, "--workspace", workspace, *SMALL)

    assert not (workspace / ".staging").exists()
    assert sorted(path.name for path in (workspace / "silver").glob("shop_week=*")) == [
        f"shop_week={week}" for week in range(200607, 200613)
    ]


def etl(data: Path, workspace: Path, *more: str) -> dict[str, object]:
    return called("etl", "--data", data, "--workspace", workspace, *SMALL, *more, "--json").json


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"SPEND": "free"}, "spend_not_a_number"),
        ({"SPEND": ""}, "missing_spend"),
        ({"PROD_CODE": ""}, "missing_prod_code"),
        ({"BASKET_ID": ""}, "missing_basket_id"),
        ({"QUANTITY": "-1"}, "quantity_not_positive"),
        ({"QUANTITY": "0"}, "quantity_not_positive"),
        ({"QUANTITY": "two"}, "quantity_not_a_number"),
        ({LABEL: "AA"}, "unknown_label"),
    ],
)
def test_lines_that_cannot_be_used_are_counted_and_kept(
    values: dict[str, str], reason: str, tmp_path: Path
) -> None:
    raw = delivered(tmp_path / "raw", changed(delivery(), range(10, 17), **values))

    lines = etl(raw, tmp_path / "w")["lines"]

    assert lines == {
        "read": 360,
        "accepted": 353,
        "rejected": 7,
        "rejected_by_reason": {reason: 7},
    }
    kept = pl.read_parquet(tmp_path / "w" / "silver" / "_rejected" / "*.parquet")
    assert kept["reason"].to_list() == [reason] * 7
    assert sorted(kept["row"]) == list(range(11, 18))


def test_a_basket_with_two_labels_is_rejected_whole(tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", changed(delivery(), range(10, 11), **{LABEL: "LA"}))

    assert etl(raw, tmp_path / "w")["lines"] == {
        "read": 360,
        "accepted": 358,
        "rejected": 2,
        "rejected_by_reason": {"basket_labels_disagree": 2},
    }


def test_half_a_delivery_that_is_not_read_is_said_and_read_once_it_can_be(tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    lines = (raw / "till.csv").read_text().splitlines(keepends=True)
    (raw / "till.csv").write_text("".join(lines[:181]))
    rest = (lines[0] + "".join(lines[181:])).encode()
    (raw / "rest.csv.lz4").write_bytes(rest)

    first = etl(raw, tmp_path / "w")
    (raw / "rest.csv.lz4").unlink()
    (raw / "rest.CSV.bz2").write_bytes(bz2.compress(rest))
    second = etl(raw, tmp_path / "w")

    assert first["warnings"] == [
        "1 file skipped (an unsupported compression): rest.csv.lz4. Decompress it, or use gzip."
    ]
    assert second["warnings"] == []
    assert second["lines"] == {
        "read": 360,
        "accepted": 360,
        "rejected": 0,
        "rejected_by_reason": {},
    }


def test_a_delivery_that_is_no_longer_skipped_is_not_warned_of(tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    (raw / "more.xlsx").touch()
    first = etl(raw, tmp_path / "w")
    (raw / "more.xlsx").unlink()

    assert first["warnings"]
    assert etl(raw, tmp_path / "w")["warnings"] == []


def test_the_same_file_twice_counts_once(tmp_path: Path) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    shutil.copy(raw / "till.csv", raw / "till_copy.csv")

    document = etl(raw, tmp_path / "w")

    assert document["lines"] == {
        "read": 720,
        "accepted": 360,
        "rejected": 360,
        "rejected_by_reason": {"duplicate_line": 360},
    }
    assert document["warnings"] == ["till_copy.csv has the same content as till.csv"]


def test_another_dialect_of_the_same_lines_gives_the_same_features(tmp_path: Path) -> None:
    clean = delivered(tmp_path / "clean", delivery())
    mixed = [
        {
            name.title() if n % 2 else name.lower(): value
            for n, (name, value) in enumerate(x.items())
        }
        for x in delivery()
    ]
    dialect = tmp_path / "dialect"
    dialect.mkdir()
    written = "\ufeff" + csv_text(mixed, separator=";", newline="\r\n")
    (dialect / "till.csv").write_bytes(written.encode())

    etl(clean, tmp_path / "a")
    etl(dialect, tmp_path / "b")

    for name in ("train_features", "test_features", "product_index"):
        first, other = (
            pl.read_parquet(tmp_path / w / "gold" / f"{name}.parquet") for w in ("a", "b")
        )
        assert first.equals(other)
