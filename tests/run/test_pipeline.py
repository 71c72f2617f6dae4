"""What hands what to whom, on a platform that does no work and a registry in memory."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from basketwise.config import AwsConfig, Config, RegistryConfig
from basketwise.errors import DependencyError, InputError
from basketwise.etl.raw.discovery import list_files
from basketwise.etl.raw.sources import digests
from basketwise.platforms.local import LocalPlatform
from basketwise.platforms.protocol import EtlJob, TrainingJob
from basketwise.progress import Reporter
from basketwise.registry import opening
from basketwise.registry.protocol import ApprovalState, Change, ModelVersion, Registry
from basketwise.run import etl, evaluation, pipeline
from basketwise.run.context import Context
from basketwise.run.record import planned, require_step, seal
from basketwise.run.workspace import ARTIFACTS, GOLD, SILVER, STAGING, open_workspace
from tests.cli.till import delivered, delivery
from tests.contracts.test_platform import Progress, etl_job
from tests.fakes.platform import RecordedPlatform
from tests.fakes.registry import MemoryRegistry
from tests.raw_lines import LABEL

pytestmark = pytest.mark.usefixtures("blank_pictures")

CONFIG = Config.model_validate(
    {
        "training": {"models": ["logistic", "decision_tree"], "folds": 2},
        "index": {"refine_rounds": 1},
        "features": {"tried": []},
        "evaluation": {"resamples": 100, "importance_baskets": 50, "importance_repeats": 1},
        # So few test baskets show no smaller loss.
        "gate": {"champion_margin": 0.2},
    }
)

PENDING, APPROVED = ApprovalState.PENDING, ApprovalState.APPROVED

BETTER = ModelVersion(
    version="7",
    run_id="run-7",
    state=ApprovalState.APPROVED,
    created_at=datetime(2020, 1, 1, tzinfo=UTC),
    sha256="7" * 64,
    uri="",
    model_data_url="",
    description="",
    metrics={},
    tags={},
    champion=False,
)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> RecordedPlatform:
    """Silver, gold and a training, made once."""
    root = tmp_path_factory.mktemp("done")
    # Some baskets of each class say what another class buys: no model is right about all.
    relabelled = [
        item | {LABEL: "MM"} if item["BASKET_ID"].endswith("3") else item for item in delivery(360)
    ]
    job = etl_job(delivered(root / "raw", relabelled), root)
    (root / "trained").mkdir()
    LocalPlatform().etl(job, CONFIG, Progress())
    LocalPlatform().train(TrainingJob(job.gold, root / "trained"), CONFIG, Progress())
    return RecordedPlatform(job.silver, job.gold, root / "trained")


@pytest.fixture
def raw(done: RecordedPlatform) -> str:
    return str(done.silver.with_name("raw"))


@pytest.fixture
def platform(done: RecordedPlatform) -> RecordedPlatform:
    return replace(done, jobs=[])


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> MemoryRegistry:
    memory = MemoryRegistry()

    def opened(config: RegistryConfig, folder: Path, aws: AwsConfig, location: str) -> Registry:
        return memory

    monkeypatch.setattr(opening, "open_registry", opened)
    return memory


@pytest.fixture
def context(tmp_path: Path, platform: RecordedPlatform) -> Context:
    return Context(
        workspace=open_workspace(str(tmp_path / "w")),
        config=CONFIG,
        platform=platform,
        reporter=Reporter(Console(file=io.StringIO()), quiet=True),
        command="basketwise run --data raw",
    )


def test_a_run_hands_staged_folders_from_stage_to_stage(
    raw: str, context: Context, platform: RecordedPlatform, registry: MemoryRegistry
) -> None:
    result = pipeline.run_all(raw, context)

    etl, train = platform.jobs
    assert isinstance(etl, EtlJob)
    assert isinstance(train, TrainingJob)
    assert etl.data == raw
    assert platform.starts == [etl.inputs] == [digests(list_files(raw))]
    assert etl.clean
    assert train.gold == etl.gold
    assert not etl.gold.exists()
    workspace = context.workspace
    assert workspace.folder(GOLD).is_dir()
    assert workspace.folder(SILVER).is_dir()
    assert result.folder == workspace.folder(ARTIFACTS) / result.run_id
    assert result.version is not None
    assert result.version.state is ApprovalState.APPROVED
    assert registry.champion() == registry.get("1")
    assert registry.archives["1"] == (result.folder / "model.tar.gz").read_bytes()
    assert result.deployment_config
    assert result.deployment_config.is_file()
    assert result.report["run"]["command"] == context.command


def test_a_version_that_the_gate_refuses_is_kept_and_not_exported(
    raw: str, context: Context, registry: MemoryRegistry
) -> None:
    config = Config.model_validate(CONFIG.model_dump() | {"gate": {"min_accuracy": 1}})

    result = pipeline.run_all(raw, replace(context, config=config))

    assert result.version is not None
    assert result.version.state is ApprovalState.PENDING
    assert "Not approved: Test accuracy" in registry.get("1").description
    assert registry.champion() is None
    assert result.deployment_config is None
    assert not context.workspace.folder("deployment-configs").exists()
    assert (result.folder / "report.html").is_file()


@pytest.mark.parametrize("error", [InputError("bad lines"), KeyboardInterrupt()])
def test_a_stage_that_fails_leaves_the_workspace_as_it_was(
    raw: str,
    context: Context,
    platform: RecordedPlatform,
    registry: MemoryRegistry,
    error: Exception,
) -> None:
    context.workspace.storage.write("gold/metadata.json", b"earlier")
    platform.fails = error

    with pytest.raises(type(error)):
        pipeline.run_all(raw, context)

    assert context.workspace.storage.read("gold/metadata.json") == b"earlier"
    assert not context.workspace.folder(SILVER).exists()
    assert registry.kept == {}
    platform.fails = None


def test_changes_made_elsewhere_are_noted_before_an_export(
    context: Context, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = io.StringIO()
    context = replace(context, reporter=Reporter(Console(file=text, width=200)))
    made = Change(BETTER.created_at, "7", PENDING, APPROVED, "zoe", "fine", "SageMaker")
    monkeypatch.setattr(registry, "outside", lambda: [made])
    synced: list[bool] = []
    monkeypatch.setattr(registry, "sync", lambda: synced.append(True))
    pipeline.note_changes(pipeline.approvals_of(registry, context), context)
    assert synced == [True]
    line = "version 7  PendingManualApproval → Approved  by zoe in SageMaker: fine"
    assert line in text.getvalue()


def test_a_registry_that_cannot_tell_is_left_to_what_needs_it(
    context: Context, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> list[Change]:
        raise DependencyError("The registry is down.")

    monkeypatch.setattr(registry, "outside", refuse)
    pipeline.note_changes(pipeline.approvals_of(registry, context), context)


def test_a_registry_that_fails_leaves_the_run_to_be_registered_again(
    raw: str, context: Context, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **names: object) -> None:
        raise DependencyError("The registry is down.")

    monkeypatch.setattr(registry, "register", refuse)

    with pytest.raises(DependencyError, match="down"):
        pipeline.run_all(raw, context)

    _, folder = context.workspace.run_folder(None)
    assert (folder / "model.tar.gz").is_file()
    assert context.workspace.folder(GOLD).is_dir()


def test_a_server_is_asked_before_the_work(
    raw: str, context: Context, platform: RecordedPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*arguments: object) -> Registry:
        raise DependencyError("cannot be reached")

    monkeypatch.setattr(opening, "open_registry", unreachable)
    config = Config.model_validate(CONFIG.model_dump() | {"registry": {"uri": "http://host"}})

    with pytest.raises(DependencyError):
        pipeline.run_all(raw, replace(context, config=config))

    assert platform.jobs == []


def test_a_server_is_opened_once(
    raw: str, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, opened = MemoryRegistry(), []

    def open_once(config: RegistryConfig, *_: object) -> Registry:
        opened.append(config.uri)
        return memory

    monkeypatch.setattr(opening, "open_registry", open_once)
    config = Config.model_validate(CONFIG.model_dump() | {"registry": {"uri": "http://host"}})
    pipeline.run_all(raw, replace(context, config=config))
    assert opened == ["http://host"]
    assert list(memory.kept) == ["1"]


def test_the_champion_that_was_recorded_is_the_one_that_was_compared(
    raw: str, context: Context, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.run_all(raw, context)
    # Somebody else rejects the champion while the evaluation runs.
    answers = iter([registry.get("1")])
    monkeypatch.setattr(registry, "champion", lambda: next(answers, None))

    again = pipeline.run_all(raw, replace(context, force=True))

    step = require_step("evaluation", again.folder)
    assert step.inputs["champion"].startswith("version 1 ")
    assert again.report["champion"] is not None
    assert again.report["champion"]["version"] == "1"


def test_the_champion_is_not_scored_where_the_gate_does_not_ask(
    raw: str, context: Context, registry: MemoryRegistry
) -> None:
    pipeline.run_all(raw, context)
    config = Config.model_validate(CONFIG.model_dump() | {"gate": {"champion": False}})

    again = pipeline.run_all(raw, replace(context, config=config))

    assert again.report["champion"] is None
    assert "champion" not in {reason["rule"] for reason in again.report["verdict"]["reasons"]}


def test_runs_on_the_same_test_baskets_are_counted(
    raw: str, context: Context, registry: MemoryRegistry
) -> None:
    first = pipeline.run_all(raw, context)
    again = pipeline.run_all(raw, replace(context, force=True))

    looks = [result.report.get("looks") for result in (first, again)]
    assert [look and look["number"] for look in looks] == [1, 2]
    assert looks[0] is not None
    assert looks[0]["optimism"] == 0
    assert looks[1] is not None
    assert looks[1]["block"] == looks[0]["block"]
    (first.folder / "manifest.json").write_text("[]")
    assert evaluation.looks_at(looks[0]["block"], "", context.workspace) == 1


@pytest.mark.parametrize("lost", [False, True])
def test_the_best_version_of_the_memory_is_scored_too(
    raw: str,
    context: Context,
    registry: MemoryRegistry,
    monkeypatch: pytest.MonkeyPatch,
    lost: bool,
) -> None:
    pipeline.run_all(raw, context)
    monkeypatch.setattr(evaluation, "best_first", lambda versions, memory: [BETTER, *versions])
    if not lost:
        registry.kept["7"] = replace(registry.kept["1"], version="7")
        registry.changes.append(replace(registry.changes[0], version="7"))
        registry.archives["7"] = registry.archives["1"]

    again = pipeline.run_all(raw, replace(context, force=True))

    reason = next(r for r in again.report["verdict"]["reasons"] if r["rule"] == "memory")
    best = again.report.get("best")
    step = require_step("evaluation", again.folder)
    assert step.inputs["best"].startswith("version 7 (")
    assert reason["passed"]
    if lost:
        assert best is None
        assert "version 7 was better but could not be scored" in reason["text"]
        assert step.inputs["best"].endswith("which could not be opened")
    else:
        assert best is not None
        assert best["version"] == "7"
        assert best["accuracy_difference"]["estimate"] == 0


def test_what_is_valid_is_not_run_on_the_platform_again(
    raw: str, context: Context, platform: RecordedPlatform, registry: MemoryRegistry
) -> None:
    first = pipeline.run_all(raw, context)

    again = pipeline.run_all(raw, context)

    assert len(platform.jobs) == 2
    assert again.run_id == first.run_id
    assert again.version == registry.get("1")
    assert len(registry.kept) == 1


def test_a_run_that_was_killed_goes_on_from_what_it_had_finished(
    raw: str, context: Context, platform: RecordedPlatform, registry: MemoryRegistry
) -> None:
    left = context.workspace.folder(STAGING)
    for name in ("silver", "gold"):
        (left / name).mkdir(parents=True)
    platform.etl(EtlJob(raw, left / "silver", left / "gold", left), CONFIG, Progress())
    seal(planned("silver", digests(list_files(raw)), CONFIG), left / "silver")
    platform.jobs.clear()

    result = pipeline.run_all(raw, context)

    assert isinstance(platform.jobs[0], EtlJob)
    assert not platform.jobs[0].clean
    assert [outcome.ran for outcome in result.outcomes] == [False, True, True, True]


def test_a_champion_whose_archive_is_lost_stops_no_run(
    raw: str, context: Context, registry: MemoryRegistry
) -> None:
    pipeline.run_all(raw, context)
    archive = registry.archives.pop("1")

    again = pipeline.run_all(raw, replace(context, force=True))

    # The registry gets the model anew; whether it is good enough cannot be told.
    assert again.version is not None
    assert (again.version.version, again.version.state) == ("2", ApprovalState.PENDING)
    rule = next(r for r in again.report["verdict"]["reasons"] if r["rule"] == "champion")
    assert rule["text"].startswith("The champion (version 1) could not be scored: ")
    assert "'basketwise models reject 1'" in rule["text"]
    assert again.report["champion"] is None

    registry.archives["1"] = archive
    restored = pipeline.run_all(raw, context)

    assert restored.outcomes[-1].ran
    assert restored.report["champion"] is not None
    assert restored.version is not None
    assert (restored.version.version, restored.version.state) == ("2", ApprovalState.APPROVED)


def test_a_cached_run_registers_a_model_anew_whose_archive_is_lost(
    raw: str, context: Context, registry: MemoryRegistry
) -> None:
    pipeline.run_all(raw, context)
    registry.archives["1"] += b"x"

    again = pipeline.run_all(raw, context)

    assert not any(outcome.ran for outcome in again.outcomes)
    assert again.version == registry.champion() == registry.get("2")


def test_a_new_number_does_not_get_around_a_rejection(
    raw: str, context: Context, registry: MemoryRegistry
) -> None:
    pipeline.run_all(raw, context)
    registry.set_state("1", ApprovalState.REJECTED, who="ann", why="bad")
    registry.archives.pop("1")

    again = pipeline.run_all(raw, context)

    assert again.version is not None
    assert (again.version.version, again.version.state) == ("2", ApprovalState.PENDING)
    assert "which ann set to Rejected" in registry.history("2")[-1].why


def test_what_follows_is_prepared_once_when_the_raw_files_are_read() -> None:
    called, ticks = [], Progress()
    tick = etl._calling(lambda: called.append(len(ticks.ticks)), ticks)
    for what in ("reading", "reading", "cleaning", "reading", "features"):
        tick(what, 1, 2)
    assert called == [2]
    assert [what for what, *_ in ticks.ticks][2] == "cleaning"


def test_what_follows_is_prepared_while_processes_read(monkeypatch: pytest.MonkeyPatch) -> None:
    called, ticks = [], Progress()
    monkeypatch.setattr(etl, "at_work", lambda: True)
    tick = etl._calling(lambda: called.append(len(ticks.ticks)), ticks)
    for _ in range(2):
        tick("reading", 1, 2)
    assert called == [0]
