"""Where a run is evaluated, and what its job is given."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from basketwise.aws.names import AwsNames, names_of
from basketwise.aws.requests.evaluation import EvaluationRequest, requested_evaluation
from basketwise.aws.running.evaluation import (
    DOWNLOADED,
    Needs,
    is_job,
    needs_of,
    read_broken,
    send_request,
)
from basketwise.aws.running.outputs import InvalidOutputError
from basketwise.aws.s3 import Bucket
from basketwise.config import AwsConfig, Config
from basketwise.digests import sha256
from basketwise.errors import DependencyError
from basketwise.files import JOB_FILE
from basketwise.platforms.protocol import EvaluationJob
from basketwise.registry.protocol import ApprovalState, ArchiveError, ModelVersion
from basketwise.report.types.run import StartedRun
from basketwise.run.record import planned, seal
from tests.aws.service_model import check
from tests.fakes.model_registry import ACCOUNT, REGION
from tests.seaweed import S3Server

JOB = "retail-prediction-training-run-7"
BELOW = "artifacts/retail-evaluation-processing-run-7/request"


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    return Bucket(s3_server.client(), s3_server.bucket, s3_server.new_prefix())


@pytest.fixture
def names(bucket: Bucket) -> AwsNames:
    return names_of(Config(), account_id=ACCOUNT, region=REGION, workspace=bucket.location)


@pytest.fixture
def job(tmp_path: Path) -> EvaluationJob:
    out = tmp_path / "out"
    out.mkdir()
    (out / "model.skops").write_bytes(b"a model")
    (out / JOB_FILE).write_text(json.dumps({"name": JOB}))
    seal(planned("training", {"gold/x": "1"}, Config()), out)

    def fetch(version: str, folder: Path) -> Path:
        if version == "lost":
            raise ArchiveError(f"{folder}/model.tar.gz is lost.")
        path = folder / "model.tar.gz"
        path.write_bytes(version.encode())
        return path

    return EvaluationJob(
        gold=tmp_path,
        out=out,
        run=StartedRun("run-7", "aws run", "raw", datetime(2026, 3, 1, tzinfo=UTC)),
        inputs={"gold": "g" * 64},
        looks=3,
        champion=None,
        better=(),
        fetch=fetch,
    )


def version(name: str, url: str = "mlflow-artifacts:/x", sha: str = "") -> ModelVersion:
    return ModelVersion(
        version=name,
        run_id="run-1",
        state=ApprovalState.APPROVED,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        sha256=sha,
        uri=f"models:/m/{name}",
        model_data_url=url,
        description="",
        metrics={},
        tags={},
        champion=False,
    )


def sent(bucket: Bucket) -> EvaluationRequest:
    return EvaluationRequest.model_validate_json(bucket.get(f"{BELOW}/request.json") or b"")


@pytest.mark.parametrize(
    ("evaluate", "size", "expected"),
    [
        ("auto", DOWNLOADED, False),
        ("auto", DOWNLOADED + 1, True),
        ("local", 10**12, False),
        ("job", 0, True),
    ],
)
def test_large_data_are_evaluated_where_they_are(evaluate: str, size: int, expected: bool) -> None:
    config = AwsConfig.model_validate({"evaluate": evaluate})
    assert is_job(config, Needs(size, 0)) is expected
    assert is_job(config, Needs(0, size)) is expected


def test_lines_are_needed_only_to_be_scored(bucket: Bucket, job: EvaluationJob) -> None:
    bucket.put("gold/a", bytes(10))
    bucket.put("silver/w/b", bytes(2_500_000))

    assert needs_of(job, bucket) == Needs(10, 0)
    needs = needs_of(replace(job, champion=version("1")), bucket)
    assert str(needs) == "gold 0.0 MB, silver 2.5 MB"


def test_what_is_in_the_bucket_is_taken_from_there(
    bucket: Bucket, names: AwsNames, job: EvaluationJob
) -> None:
    bucket.put(f"artifacts/{JOB}/output/model.tar.gz", b"trained")
    bucket.put("artifacts/registered-run-1/ab/model.tar.gz", b"champion")
    (job.out / "archive").write_bytes(b"champion")
    digest = sha256(job.out / "archive")
    url = bucket.uri("artifacts/registered-run-1/ab/model.tar.gz")
    champion = version("5", url, digest)

    sources = send_request(replace(job, champion=champion), Config(), names, bucket, _quiet)

    assert sources.trained == bucket.uri(f"artifacts/{JOB}/output/model.tar.gz")
    assert sources.rivals == {"5": url}
    request = sent(bucket)
    assert request.champion is not None
    assert request.champion.archive == "rivals/5/model.tar.gz"
    assert request.looks == 3
    assert request.trained.keys() == {"model.skops", JOB_FILE}
    assert set(bucket.below(BELOW)) == {f"{BELOW}/request.json", f"{BELOW}/{JOB_FILE}"}


def test_what_is_elsewhere_is_sent(bucket: Bucket, names: AwsNames, job: EvaluationJob) -> None:
    (job.out / JOB_FILE).unlink()
    seal(planned("training", {"gold/x": "1"}, Config()), job.out)
    # In the bucket, but not what was registered.
    bucket.put("changed/model.tar.gz", b"changed")
    changed = version("2", bucket.uri("changed/model.tar.gz"), "0" * 64)
    wanted = replace(job, champion=version("1"), better=(changed, version("lost"), version("3")))

    sources = send_request(wanted, Config(), names, bucket, _quiet)

    assert sources.trained == ""
    assert sources.rivals == {}
    request = sent(bucket)
    assert request.champion is not None
    assert request.champion.archive == "request/archives/1.tar.gz"
    assert [rival.version for rival in request.better] == ["2", "lost", "3"]
    assert request.better[1].archive == ""
    assert request.better[1].why == "model.tar.gz is lost."
    assert bucket.get(f"{BELOW}/archives/3.tar.gz") == b"3"
    assert bucket.get(f"{BELOW}/training/model.skops") == b"a model"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": "gone"}'])
def test_a_training_whose_job_is_gone_is_sent(
    bucket: Bucket, names: AwsNames, job: EvaluationJob, text: str
) -> None:
    (job.out / JOB_FILE).write_text(text)

    assert send_request(job, Config(), names, bucket, _quiet).trained == ""
    assert bucket.get(f"{BELOW}/training/model.skops") == b"a model"


def test_the_request_is_one_that_aws_takes(names: AwsNames) -> None:
    request = requested_evaluation(
        names,
        Config(),
        "run-7",
        trained=f"{names.uri('artifacts', JOB, 'output')}model.tar.gz",
        rivals={str(number): names.uri("x") for number in range(4)},
        silver=True,
    )
    check("sagemaker", "CreateProcessingJob", request, bucket=names.bucket)
    assert len(request["ProcessingInputs"]) == 9
    (output,) = request["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"].endswith(
        "/artifacts/retail-evaluation-processing-run-7/output/"
    )
    small = requested_evaluation(names, Config(), "run-7")
    assert [item["InputName"] for item in small["ProcessingInputs"]] == ["gold", "code", "request"]
    assert "--silver-path" not in small["AppSpecification"]["ContainerArguments"]


def test_what_could_not_be_opened_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('["best"]')
    assert read_broken(tmp_path) == {"best"}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", [None, "", "{}", "3", "[" * 100_000])
def test_a_damaged_note_makes_the_output_invalid(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "broken.json").write_text(text)
    with pytest.raises(InvalidOutputError, match=r"broken\.json"):
        read_broken(tmp_path)


def test_a_registry_that_fails_otherwise_is_told_too(
    bucket: Bucket, names: AwsNames, job: EvaluationJob
) -> None:
    def fetch(_: str, __: Path) -> Path:
        raise DependencyError("The server is gone.")

    send_request(replace(job, champion=version("1"), fetch=fetch), Config(), names, bucket, _quiet)
    request = sent(bucket)
    assert request.champion is not None
    assert request.champion.why == "The server is gone."


def _quiet(*_: object) -> None:
    pass
