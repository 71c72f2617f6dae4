"""``aws run`` evaluates here or as a job: with one result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from basketwise.errors import DependencyError
from basketwise.sampling import generate
from tests.aws.cli.running import GROUP, QUICK, TREE, command
from tests.aws.double.cloud import Cloud
from tests.cli.calling import call, called

HERE = (*TREE, "--no-register", "--set", "aws.evaluate=local")
AS_A_JOB = (*TREE, "--no-register", "--set", "aws.evaluate=job")
TIMES = {"seconds", "fit_seconds", "started_at", "run_id", "command", "generated_at"}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    generate(folder, baskets=1200, seed=8, weeks=5)
    return folder


def without_times(document: Any) -> Any:
    if isinstance(document, dict):
        return {k: without_times(v) for k, v in document.items() if k not in TIMES}
    return [without_times(item) for item in document] if isinstance(document, list) else document


def forget(cloud: Cloud, *parts: str) -> None:
    for key in cloud.keys(*parts):
        cloud.s3.delete_object(Bucket=cloud.names.bucket, Key=cloud.names.key(key))


def test_both_ways_give_one_report(
    used: Cloud, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = called(*command(used, other, "here", *HERE), "--json")
    expected = json.loads(used.read("artifacts/run-here/report.json"))
    files = {Path(key).name for key in used.keys("artifacts/run-here")}
    # As if it had not been: the second one is on the same test baskets.
    forget(used, "artifacts/run-here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    there = called(*command(used, other, "there", *AS_A_JOB), "--json")

    report = json.loads(used.read("artifacts/run-there/report.json"))
    assert report["champion"]["version"] == "1"
    assert report["lineage"]["config"]["aws"].pop("evaluate") == "job"
    assert expected["lineage"]["config"]["aws"].pop("evaluate") == "local"
    assert without_times(report) == without_times(expected)
    assert there.json["accuracy"] == here.json["accuracy"]
    assert {Path(key).name for key in used.keys("artifacts/run-there")} == files
    jobs = [job["name"] for job in there.json["aws"]["jobs"]]
    assert jobs == [
        "retail-prediction-training-run-there",
        "retail-evaluation-processing-run-there",
    ]
    # Neither lines nor features came here.
    assert "stay in the bucket" in there.err
    assert not list(tmp_path.rglob("shop_week=*"))
    assert not list(tmp_path.rglob("*_features.parquet"))


def test_a_run_whose_evaluation_was_cut_off_goes_on_with_it(
    cloud: Cloud, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> None:
        raise DependencyError("The network is gone.")

    settings = ("--set", "aws.evaluate=job", *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr("basketwise.aws.platform.send_request", cut_off)
        failed = call(*command(cloud, raw, "cut", *TREE, "--no-register", *settings))
    assert failed.code == 3
    assert "aws run --resume --name run-cut" in failed.err
    resume = ("aws", "run", "--resume", "--workspace", cloud.workspace, "--json", *settings)

    resumed = called(*resume)

    jobs = [job["name"] for job in resumed.json["aws"]["jobs"]]
    evaluation = "retail-evaluation-processing-run-cut"
    assert jobs == list(cloud.jobs.jobs)
    assert jobs == [
        "retail-etl-processing-run-cut",
        "retail-prediction-training-run-cut",
        evaluation,
    ]
    # Once more: what the job left is still there, unless somebody has changed it.
    forget(cloud, "artifacts/run-cut")
    called(*resume)
    assert len(cloud.jobs.jobs) == 3
    forget(cloud, "artifacts/run-cut")
    key = cloud.names.key("artifacts", evaluation, "output", "report.json")
    cloud.s3.put_object(Bucket=cloud.names.bucket, Key=key, Body=b"{}")
    again = called(*resume)
    assert "evaluation/report.json was changed after the job" in again.err
    assert list(cloud.jobs.jobs)[3:] == [f"{evaluation}-2"]
    # It is registered as any other.
    registered = called("register", "--run", "run-cut", "--workspace", cloud.workspace)
    assert "Approved" in registered.out
    assert len(cloud.registry.packages[GROUP]) == 1
