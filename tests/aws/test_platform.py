"""Which of a run's jobs is followed, and what of the workspace a job may rely on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import pytest

from basketwise.aws.clients import client
from basketwise.aws.platform import SageMakerPlatform
from basketwise.aws.running.jobs import DIGEST_VARIABLE
from basketwise.config import AwsConfig, Config
from basketwise.digests import content, sha256
from basketwise.errors import ConfigError, DependencyError, InputError
from basketwise.etl.gold.metadata import read_metadata
from basketwise.files import GOLD_READ
from basketwise.platforms.protocol import EtlJob, TrainingJob
from basketwise.run.record import require_step
from basketwise.storage.opening import open_storage
from tests.aws.double.cloud import Cloud, running_cloud
from tests.cli.till import delivered, delivery
from tests.fakes.model_registry import REGION
from tests.seaweed import S3Server

RUN = "run-7"
CONFIG = Config.model_validate({"aws": {"region": REGION}, "index": {"refine_rounds": 1}})


@pytest.fixture
def cloud(s3_server: S3Server, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(s3_server, tmp_path) as running:
        yield running


@pytest.fixture
def platform(cloud: Cloud) -> SageMakerPlatform:
    config = AwsConfig(region=REGION)
    return SageMakerPlatform(
        sagemaker=client("sagemaker", config),
        logs=client("logs", config),
        s3=client("s3", config),
        names=cloud.names,
        storage=open_storage(cloud.workspace, config),
        run_id=RUN,
        report=lambda _: None,
        poll=0.3,
    )


def etl_job(data: str, folder: Path, inputs: Mapping[str, str] | None = None) -> EtlJob:
    silver, gold, scratch = (folder / name for name in ("silver", "gold", "scratch"))
    for folder in (silver, gold, scratch):
        folder.mkdir(parents=True)
    return EtlJob(data, silver, gold, scratch, inputs=inputs or {})


def test_older_weeks_are_not_mistaken_for_the_jobs_output(
    cloud: Cloud, platform: SageMakerPlatform, tmp_path: Path
) -> None:
    stray = "silver/shop_week=199901/part-0.parquet"
    platform.storage.write(stray, b"of an earlier run")
    raw = delivered(tmp_path / "raw", delivery())
    job = etl_job(str(raw), tmp_path / "out")

    platform.etl(job, CONFIG, lambda *_: None)

    assert [path.name for path in job.silver.iterdir()] == ["step-silver.json"]
    assert {path.name for path in job.gold.iterdir()} == {"step-gold.json", "metadata.json"}
    assert stray in cloud.keys("silver")
    # Publishing takes it away; what the job has left there already stays, and does not come here.
    outputs = require_step("silver", job.silver).outputs
    platform.storage.replace(job.silver, "silver", outputs)
    assert cloud.keys("silver") == sorted(
        f"silver/{name}" for name in [*outputs, "step-silver.json"]
    )
    assert platform.storage.digests("silver").items() >= outputs.items()
    assert not list((tmp_path / "cloud" / "cache").rglob("*.parquet"))


def test_etl_on_spark_leaves_what_etl_on_one_instance_does(
    cloud: Cloud, platform: SageMakerPlatform, tmp_path: Path
) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    spark = Config.model_validate(CONFIG.model_dump() | {"aws": {"region": REGION, "etl": "spark"}})
    made = []
    for number, config in enumerate((CONFIG, spark)):
        job = etl_job(str(raw), tmp_path / str(number))
        platform.run_id = f"run-{number}"
        platform.etl(job, config, lambda *_: None)
        files = content(platform.storage.local("gold"))
        # It has a time.
        assert files.pop("metadata.json")
        made.append({name: own for name, own in files.items() if not name.startswith("step-")})
    assert made[0] == made[1]
    assert "spark.sh" in {key.rpartition("/")[2] for key in cloud.keys("code")}
    assert not cloud.keys(".basketwise/spark")


def test_a_job_under_other_controls_is_another(
    platform: SageMakerPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = str(delivered(tmp_path / "raw", delivery()))
    chosen = mock.Mock(side_effect=InputError("no job is followed"))
    monkeypatch.setattr("basketwise.aws.platform.select_job", chosen)
    monkeypatch.setattr("basketwise.aws.platform.upload_code", lambda *_: None)
    vpc: dict[str, object] = {"subnets": ["subnet-0123abcd"], "security_groups": ["sg-0123abcd"]}
    settings: list[dict[str, object]] = [
        {},
        {"volume_gb": 50},
        {"kms_key": f"arn:aws:kms:{REGION}:123456789012:key/1234abcd"},
        vpc,
        vpc | {"subnets": ["subnet-4567cdef"]},
        {"network_isolation": True},
    ]
    digests = []
    for number, aws in enumerate(settings):
        config = Config.model_validate(CONFIG.model_dump() | {"aws": {"region": REGION} | aws})
        with pytest.raises(InputError, match="no job is followed"):
            platform.etl(etl_job(raw, tmp_path / str(number)), config, lambda *_: None)
        digests.append(chosen.call_args.args[2]["Environment"][DIGEST_VARIABLE])
    # A larger disk is no other work.
    assert digests[0] == digests[1]
    assert len(set(digests)) == len(settings) - 1


def test_outputs_changed_since_are_made_again(
    cloud: Cloud, platform: SageMakerPlatform, tmp_path: Path
) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    platform.etl(etl_job(str(raw), tmp_path / "out"), CONFIG, lambda *_: None)
    platform.storage.write("gold/test_features.parquet", b"other bytes")
    # S3 tells whole seconds: within that of the job's end, nothing would be noticed here.
    (job,) = cloud.jobs.jobs.values()
    job.ended = job.created

    platform.etl(etl_job(str(raw), tmp_path / "again"), CONFIG, lambda *_: None)

    first = f"retail-etl-processing-{RUN}"
    assert list(cloud.jobs.jobs) == [first, f"{first}-2"]


def test_other_data_are_other_work(
    cloud: Cloud, platform: SageMakerPlatform, tmp_path: Path
) -> None:
    for number, baskets in enumerate((180, 90), start=1):
        raw = delivered(tmp_path / "raw", delivery(baskets))
        platform.etl(etl_job(str(raw), tmp_path / str(number)), CONFIG, lambda *_: None)

    assert read_metadata(tmp_path / "1" / "gold").lines.read == 360
    assert read_metadata(tmp_path / "2" / "gold").lines.read == 180
    assert len(cloud.jobs.jobs) == 2


def test_a_file_that_changed_after_planning_is_detected(
    platform: SageMakerPlatform, tmp_path: Path
) -> None:
    raw = delivered(tmp_path / "raw", delivery(180))
    planned = platform.inputs(str(raw), CONFIG)
    delivered(tmp_path / "raw", delivery(90))

    with pytest.raises(DependencyError, match="silver was made from other files"):
        platform.etl(etl_job(str(raw), tmp_path / "out", planned), CONFIG, lambda *_: None)


def test_a_training_on_other_features_is_not_reused(
    cloud: Cloud, platform: SageMakerPlatform, tmp_path: Path
) -> None:
    config = Config.model_validate(
        CONFIG.model_dump() | {"training": {"models": ["decision_tree"], "folds": 2}}
    )
    for number, baskets in enumerate((180, 90), start=1):
        folder, out = tmp_path / str(number), tmp_path / f"out-{number}"
        raw = delivered(tmp_path / "raw", delivery(baskets))
        job = etl_job(str(raw), folder)
        platform.etl(job, config, lambda *_: None)
        out.mkdir()
        platform.train(TrainingJob(job.gold, out), config, lambda *_: None)
        read = json.loads((out / GOLD_READ).read_bytes())
        gold = platform.storage.local("gold")
        assert read["train_features.parquet"] == sha256(gold / "train_features.parquet")

    trained = [name for name in cloud.jobs.jobs if "training" in name]
    assert trained == [f"retail-prediction-training-{RUN}", f"retail-prediction-training-{RUN}-2"]


def test_settings_that_no_job_accepts_are_refused_before_any_upload(
    cloud: Cloud, platform: SageMakerPlatform
) -> None:
    two = Config.model_validate({"training": {"models": ["logistic", "xgboost"]}})

    with pytest.raises(ConfigError, match="a training job takes one model, or all"):
        platform.start({"till.csv": "9f86"}, two)

    on_spark = Config.model_validate(CONFIG.model_dump() | {"training": {"xgboost_on_spark": True}})
    with pytest.raises(ConfigError, match="xgboost_on_spark needs a Spark session"):
        platform.start({"till.csv": "9f86"}, on_spark)
    assert not platform.started
    assert cloud.keys("") == []


def test_data_of_another_bucket_are_refused(platform: SageMakerPlatform) -> None:
    with pytest.raises(InputError, match="is in another bucket"):
        platform.inputs("s3://somebody-elses/raw", CONFIG)


def test_files_in_the_bucket_are_named_by_what_they_were_uploaded_with(
    cloud: Cloud, platform: SageMakerPlatform, tmp_path: Path
) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    here = platform.inputs(str(raw), CONFIG)
    platform.etl(etl_job(str(raw), tmp_path / "out"), CONFIG, lambda *_: None)
    cloud.s3.put_object(
        Bucket=cloud.names.bucket, Key=cloud.names.key("raw", "theirs.csv"), Body=b"x"
    )

    there = platform.inputs(f"{cloud.workspace}/raw/", CONFIG)

    assert there.keys() == {"till.csv", "theirs.csv"}
    assert there["till.csv"] == here["till.csv"]
    assert there["theirs.csv"] == "9dd4e461268c8034f5c8564e155c67a6"


def test_files_that_a_job_would_read_changed_meanwhile(
    platform: SageMakerPlatform, tmp_path: Path
) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    job = etl_job(str(raw), tmp_path / "out")
    platform.etl(job, CONFIG, lambda *_: None)
    platform.storage.write("gold/test_features.parquet", b"other bytes")
    (tmp_path / "trained").mkdir()

    with pytest.raises(DependencyError, match=r"gold/ has changed since: test_features\.parquet"):
        platform.train(TrainingJob(job.gold, tmp_path / "trained"), CONFIG, lambda *_: None)


def test_a_record_that_somebody_removed_is_made_again(
    cloud: Cloud, platform: SageMakerPlatform, tmp_path: Path
) -> None:
    raw = delivered(tmp_path / "raw", delivery())
    platform.etl(etl_job(str(raw), tmp_path / "out"), CONFIG, lambda *_: None)
    platform.storage.delete("silver/step-silver.json")
    again = etl_job(str(raw), tmp_path / "again")

    platform.etl(again, CONFIG, lambda *_: None)

    assert len(cloud.jobs.jobs) == 2
    assert require_step("silver", again.silver).outputs
