"""``aws run`` that continues an earlier run, or follows it in the same workspace."""

from __future__ import annotations

import json
from pathlib import Path

from basketwise.sampling import generate
from tests.aws.cli.running import GROUP, QUICK, command
from tests.aws.double.cloud import Cloud
from tests.cli.calling import call, called


def test_a_failed_run_continues_where_it_failed(cloud: Cloud, raw: Path) -> None:
    cloud.jobs.capacity = False
    failed = call(*command(cloud, raw, "tight"))
    assert failed.code == 3
    assert "has failed: CapacityError: Unable to provision" in failed.err
    assert "try again later, choose another instance type" in failed.err
    assert not cloud.keys("artifacts/run-tight")
    assert not cloud.registry.packages.get(GROUP)
    cloud.jobs.capacity = True
    called("aws", "run", "--resume", "--workspace", cloud.workspace, *QUICK)
    assert list(cloud.jobs.jobs) == [
        "retail-etl-processing-run-tight",
        "retail-prediction-training-run-tight",
        "retail-prediction-training-run-tight-2",
    ]


def test_files_that_changed_since_are_another_run(cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    generate(folder, baskets=600, seed=7, weeks=4)
    cloud.jobs.capacity = False
    assert call(*command(cloud, folder, "first")).code == 3
    cloud.jobs.capacity = True
    generate(folder, baskets=500, seed=7, weeks=4, overwrite=True)
    refused = call("aws", "run", "--resume", "--workspace", cloud.workspace, *QUICK)
    assert refused.code == 2
    assert "with different inputs: the raw files." in refused.err
    # A run of another name takes them, though jobs of other data have left their outputs there.
    second = called(*command(cloud, folder, "second"), "--json")
    assert second.json["stages"]["silver"]["status"] == "ran"
    assert json.loads(cloud.read("gold", "metadata.json"))["lines"] == second.json["lines"]
    assert [job["name"] for job in second.json["aws"]["jobs"]] == [
        "retail-etl-processing-run-second",
        "retail-prediction-training-run-second",
    ]


def test_a_run_that_was_overtaken_does_not_take_the_others_data(
    cloud: Cloud, raw: Path, tmp_path: Path
) -> None:
    cloud.jobs.capacity = False
    assert call(*command(cloud, raw, "a")).code == 3
    cloud.jobs.capacity = True
    lines = json.loads(cloud.read("gold", "metadata.json"))["lines"]
    other = tmp_path / "other"
    generate(other, baskets=700, seed=8, weeks=5)
    assert called(*command(cloud, other, "b"), "--json").json["lines"] != lines
    resume = ("aws", "run", "--resume", "--name", "a", "--workspace", cloud.workspace)
    resumed = called(*resume, "--json", *QUICK)
    assert resumed.json["lines"] == lines
    assert json.loads(cloud.read("gold", "metadata.json"))["lines"] == lines


def test_an_experiment_makes_no_version_even_if_it_is_resumed(used: Cloud, raw: Path) -> None:
    versions = len(used.registry.packages[GROUP])
    settings = ("--set", "training.random_state=7", "--models", "decision_tree", "--no-register")
    used.jobs.capacity = False
    assert call(*command(used, raw, "tried", *settings)).code == 3
    used.jobs.capacity = True
    resume = ("aws", "run", "--resume", "--name", "tried", "--workspace", used.workspace)
    resumed = called(*resume, "--json", *QUICK)
    assert (resumed.json["model_version"], resumed.json["state"]) == (None, None)
    assert len(used.registry.packages[GROUP]) == versions
    assert "no version: an experiment" in called(*command(used, raw, "tried", *settings)).out
    # The same run may still be registered.
    called("register", "--run", "run-tried", "--workspace", used.workspace)
    assert len(used.registry.packages[GROUP]) == versions + 1


def test_judging_a_run_again_leaves_its_registered_model_alone(
    used: Cloud, raw: Path, tmp_path: Path
) -> None:
    workspace = ("--workspace", used.workspace)
    called("evaluate", "--all-splits", "--force", *workspace, *QUICK)
    called("export", *workspace)
    scored = called("predict", "--data", raw, "--out", tmp_path / "scores.csv", *workspace)
    assert scored.out.strip().endswith("scores.csv")


def test_force_is_for_a_new_name_and_is_kept(used: Cloud, raw: Path) -> None:
    refused = call(*command(used, raw, "first"), "--force")
    assert refused.code == 2
    assert "with different inputs: --force." in refused.err
    used.jobs.capacity = False
    assert call(*command(used, raw, "again"), "--force").code == 3
    used.jobs.capacity = True
    resumed = called("aws", "run", "--resume", *QUICK, "--workspace", used.workspace, "--json")
    assert resumed.json["run_id"] == "run-again"
    assert "retail-prediction-training-run-again-2" in used.jobs.jobs
    jobs = {job["name"]: job["status"] for job in resumed.json["aws"]["jobs"]}
    assert jobs["retail-prediction-training-run-again"] == "Failed"
