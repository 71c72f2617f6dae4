"""The rules of what may go, as a table: no AWS, no files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from basketwise.aws.cleanup.leftovers import Inventory, leftovers
from basketwise.aws.cleanup.serving import ANY, Resource, Serving
from basketwise.cleanup.leftovers import Folder, Leftover
from basketwise.registry.protocol import ApprovalState, ModelVersion
from tests.aws.calls import BUCKET, NAMES

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
MONTH = timedelta(days=30)
RUN, OTHER = "run-20260203-120005", "run-20260304-080000"
TRAINED = NAMES.training_job(RUN)
EVALUATED = {"manifest.json": 10, "model.tar.gz": 1000, "report.html": 100}
PACKED = {"output/model.tar.gz": 700}
PIECES = {"fold-1.json": 5}
ETL = {"silver/shop_week=200601/lines.parquet": 50, "gold/metadata.json": 5}
PENDING, APPROVED, REJECTED = ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.REJECTED


def days(number: float) -> datetime:
    return NOW - timedelta(days=number)


def folder(key: str, files: dict[str, int], age: float = 40) -> Folder:
    return Folder(key, files, days(age))


def version(
    number: int, state: ApprovalState, run: str = RUN, url: str | None = None
) -> ModelVersion:
    return ModelVersion(
        version=str(number),
        run_id=run,
        state=state,
        created_at=days(40),
        sha256="0",
        uri=f"arn:{number}",
        model_data_url=f"s3://{BUCKET}/artifacts/{run}/model.tar.gz" if url is None else url,
        description="",
        metrics={},
        tags={},
        champion=False,
    )


def plan(*folders: Folder, older_than: timedelta = MONTH, **more: Any) -> list[Leftover]:
    return leftovers(Inventory(folders=folders, **more), NAMES, NOW, older_than)


def removable(*folders: Folder, **more: Any) -> list[str]:
    return [item.name for item in plan(*folders, **more)]


ARTIFACTS = folder(f"artifacts/{RUN}", EVALUATED)
TRAINING = folder(f"artifacts/{TRAINED}", PACKED)
CHECKPOINTS = folder(f"checkpoints/{RUN}", PIECES)


# --- artifacts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "why"),
    [
        ([], "its run never became a version"),
        ([REJECTED], "version 1 rejected"),
        ([REJECTED, REJECTED], "versions 1, 2 rejected"),
        ([PENDING], None),
        ([APPROVED], None),
        ([REJECTED, APPROVED], None),
        ([PENDING, REJECTED], None),
    ],
)
def test_artifacts_without_a_live_version_are_removed(
    states: list[ApprovalState], why: str | None
) -> None:
    versions = tuple(version(number, state) for number, state in enumerate(states, start=1))
    result = plan(ARTIFACTS, TRAINING, versions=versions)
    assert [(item.name, item.size, item.why) for item in result] == (
        [(ARTIFACTS.key, 1110, why), (TRAINING.key, 700, why)] if why else []
    )


@pytest.mark.parametrize("state", [PENDING, APPROVED])
@pytest.mark.parametrize(
    "url",
    [
        f"s3://{BUCKET}/artifacts/{RUN}/model.tar.gz",
        f"s3://{BUCKET}/artifacts/{RUN}/0123456789ab/model.tar.gz",
        f"s3://{BUCKET}/artifacts/{TRAINED}/output/model.tar.gz",
    ],
)
def test_a_version_without_a_run_keeps_the_folder_of_its_archive(
    url: str, state: ApprovalState
) -> None:
    assert removable(ARTIFACTS, TRAINING, versions=(version(1, state, run="", url=url),)) == []
    assert removable(ARTIFACTS, TRAINING, versions=(version(1, REJECTED, run="", url=url),)) != []


def test_a_version_in_another_bucket_does_not_protect_artifacts() -> None:
    url = f"s3://{BUCKET}-other/artifacts/{RUN}/model.tar.gz"
    assert removable(ARTIFACTS, versions=(version(1, APPROVED, run=OTHER, url=url),)) == [
        ARTIFACTS.key
    ]


@pytest.mark.parametrize(("age", "expected"), [(29.9, False), (30, False), (30.1, True)])
def test_age_is_that_of_the_newest_object(age: float, expected: bool) -> None:
    assert bool(removable(folder(f"artifacts/{RUN}", EVALUATED, age))) is expected


def test_a_run_that_was_evaluated_again_keeps_its_training() -> None:
    assert removable(folder(f"artifacts/{RUN}", EVALUATED, age=1), TRAINING) == []


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("holiday-pictures", EVALUATED),
        (RUN, {"notes.txt": 1}),
        ("run", EVALUATED),
        ("pipelines-abc-Train-xyz", PACKED),
        ("retail-prediction-training-", PACKED),
        ("retail-prediction-training-by-hand", PACKED),
    ],
)
def test_files_not_known_to_be_ours_are_kept(name: str, files: dict[str, int]) -> None:
    assert removable(folder(f"artifacts/{name}", files)) == []


def test_a_rejected_model_registered_by_others_is_kept() -> None:
    url = f"s3://{BUCKET}/artifacts/theirs/model.tar.gz"
    theirs = folder("artifacts/theirs", {"model.tar.gz": 1})
    assert removable(theirs, versions=(version(1, REJECTED, run="", url=url),)) == []


def test_a_marked_run_of_any_name_is_removed_with_its_rejected_version() -> None:
    named = folder("artifacts/week-7", EVALUATED)
    assert removable(named) == []
    assert removable(named, versions=(version(1, REJECTED, run="week-7"),)) == [named.key]


def test_the_metrics_that_the_registry_reads_are_kept() -> None:
    files = {**EVALUATED, "evaluation.json": 3, "plots/a.png": 7, "plots/b.png": 7}
    (result,) = plan(folder(f"artifacts/{RUN}", files), versions=(version(1, REJECTED),))
    assert result.size == sum(files.values()) - 3
    assert result.keys == tuple(
        f"artifacts/{RUN}/{name}"
        for name in ("manifest.json", "model.tar.gz", "plots", "report.html")
    )
    only = folder(f"artifacts/{RUN}", {"evaluation.json": 3})
    assert removable(only, versions=(version(1, REJECTED),)) == []


@pytest.mark.parametrize("reason", ["busy", "pinned"])
def test_busy_and_pinned_runs_are_kept(reason: str) -> None:
    assert removable(ARTIFACTS, TRAINING, **{reason: frozenset({RUN})}) == []


def test_a_second_attempt_is_of_its_run() -> None:
    again = folder(f"artifacts/{TRAINED}-2", PACKED)
    assert removable(again) == [again.key]
    assert removable(again, versions=(version(1, APPROVED),)) == []
    assert removable(again, versions=(version(1, APPROVED, run=f"{RUN}-2"),)) == []
    assert removable(again, busy=frozenset({RUN})) == []
    # It is the job's name that has a number there, not the run's.
    second = folder(f"artifacts/{RUN}-2", EVALUATED)
    assert removable(second, versions=(version(1, APPROVED),)) == [second.key]


# --- checkpoints ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folders", "state", "expected"),
    [
        ((), {}, False),
        ((), {"ended": frozenset({RUN})}, True),
        ((folder(f"artifacts/{RUN}", EVALUATED, age=1),), {}, True),
        ((folder(f"artifacts/{TRAINED}-3", PACKED, age=1),), {}, True),
        ((folder(f"artifacts/{RUN}", EVALUATED, age=1),), {"busy": frozenset({RUN})}, False),
    ],
)
def test_checkpoints_are_removed_when_the_training_has_ended(
    folders: tuple[Folder, ...], state: dict[str, Any], expected: bool
) -> None:
    assert removable(CHECKPOINTS, *folders, **state) == ([CHECKPOINTS.key] if expected else [])


def test_checkpoints_of_an_approved_version_are_removed_too() -> None:
    approved = (version(1, APPROVED),)
    assert removable(ARTIFACTS, CHECKPOINTS, versions=approved) == [CHECKPOINTS.key]


def test_young_checkpoints_are_kept() -> None:
    young = folder(f"checkpoints/{RUN}", PIECES, age=1)
    assert removable(young, ended=frozenset({RUN})) == []


# --- data of pipelines ---------------------------------------------------------------------------


def test_the_newest_data_are_kept_whatever_their_age() -> None:
    data = [folder(f"pipelines/{n}", ETL, age=40 + n) for n in range(4)]
    pieces = [folder(f"checkpoints/{n}", PIECES, age=40) for n in range(4)]
    result = plan(*data, *pieces)
    assert [(item.kind, item.name) for item in result] == [
        ("checkpoints", "checkpoints/2"),
        ("checkpoints", "checkpoints/3"),
        ("data", "pipelines/3"),
        ("data", "pipelines/2"),
    ]
    assert result[-1].size == 55


def test_data_that_a_cached_step_may_use_are_kept() -> None:
    data = [folder(f"pipelines/{n}", ETL, age=age) for n, age in enumerate((1, 2, 10, 20))]
    assert removable(*data, older_than=timedelta(days=1)) == ["pipelines/3"]


def test_only_silver_and_gold_of_a_job_are_removed() -> None:
    data = [folder(f"pipelines/{n}", ETL) for n in ("y", "z")]
    mixed = folder("pipelines/a", {**ETL, "notes/x": 9}, age=50)
    others = folder("pipelines/b", {"silver/theirs": 1, "gold/theirs": 1}, age=50)
    (result,) = plan(*data, mixed, others)
    assert result.keys == ("pipelines/a/gold", "pipelines/a/silver")
    assert result.size == 55


def test_data_of_a_scheduled_run_are_kept_with_its_version() -> None:
    run = "scheduled-0a1b"
    data = [folder(f"pipelines/{n}", ETL) for n in ("y", "z")]
    old = folder(f"pipelines/{run}", ETL, age=50)
    assert removable(*data, old, versions=(version(1, APPROVED, run=run),)) == []
    assert removable(*data, old, versions=(version(1, REJECTED, run=run),)) == [old.key]


@pytest.mark.parametrize(
    "root", ["raw", "silver", "gold", "code", "deployment-configs", "registry"]
)
def test_other_folders_are_not_leftovers(root: str) -> None:
    assert removable(folder(f"{root}/{RUN}", {**EVALUATED, **ETL})) == []


# --- models and endpoint configurations ----------------------------------------------------------


def resource(name: str, *uses: str, age: float = 40, owned: bool = True) -> Resource:
    return Resource(name, days(age), owned, frozenset(uses))


@pytest.mark.parametrize(
    ("configs", "models", "in_use", "expected"),
    [
        ([resource("retail-c", "retail-m")], [resource("retail-m")], [], ["retail-c", "retail-m"]),
        ([resource("retail-c", "retail-m")], [resource("retail-m")], ["retail-c"], []),
        ([resource("retail-c", "retail-m", age=1)], [resource("retail-m")], [], []),
        ([resource("retail-c", "retail-m")], [resource("retail-m", age=1)], [], ["retail-c"]),
        ([resource("theirs", "retail-m", owned=False)], [resource("retail-m")], [], []),
        ([resource("theirs", ANY, owned=False)], [resource("retail-m")], [], []),
        ([resource("theirs", "other", owned=False)], [resource("retail-m")], [], ["retail-m"]),
        ([], [resource("retail-m", owned=False)], [], []),
    ],
)
def test_resources_are_removed_when_nothing_that_is_kept_uses_them(
    configs: list[Resource], models: list[Resource], in_use: list[str], expected: list[str]
) -> None:
    serving = Serving(tuple(configs), tuple(models), frozenset(in_use))
    assert removable(serving=serving) == expected


@pytest.mark.parametrize("source", [f"s3://{BUCKET}/artifacts/{RUN}/model.tar.gz", "arn:1"])
@pytest.mark.parametrize(("age", "expected"), [(1, False), (40, True)])
def test_the_rejected_archive_of_a_kept_model_is_kept(
    source: str, age: float, expected: bool
) -> None:
    serving = Serving(models=(resource("retail-m", source, age=age),))
    result = removable(ARTIFACTS, versions=(version(1, REJECTED),), serving=serving)
    assert result == ([ARTIFACTS.key, "retail-m"] if expected else [])
