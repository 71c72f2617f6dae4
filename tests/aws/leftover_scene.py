"""What runs left behind, in a bucket and in SageMaker's double."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from unittest import mock

from basketwise.aws import clients
from basketwise.aws.names import tags
from basketwise.config import AwsConfig, RegistryConfig
from basketwise.registry.opening import open_registry
from basketwise.registry.protocol import ApprovalState, Registry, Submission
from tests.aws.double.cloud import Cloud, running_cloud
from tests.aws.double.job import Job
from tests.aws.double.resources import Resources
from tests.seaweed import S3Server

MODEL = b"a model"


@dataclass(frozen=True)
class Scene:
    """An account that somebody has worked in."""

    cloud: Cloud
    resources: Resources
    folder: Path

    @cached_property
    def registry(self) -> Registry:
        return open_registry(
            RegistryConfig(), self.folder / "registry", AwsConfig(), self.cloud.workspace
        )

    @cached_property
    def sagemaker(self) -> Any:
        return clients.client("sagemaker", AwsConfig())

    def put(self, *keys: str, body: bytes = b"0123456789") -> None:
        """Write objects of ten bytes."""
        names = self.cloud.names
        for key in keys:
            self.cloud.s3.put_object(Bucket=names.bucket, Key=names.key(key), Body=body)

    def run(self, run: str) -> None:
        """Leave what a run of all stages leaves, but for its version."""
        self.put(f"artifacts/{run}/manifest.json", f"artifacts/{run}/report.html")
        self.put(f"artifacts/{self.cloud.names.training_job(run)}/output/model.tar.gz")
        self.put(f"checkpoints/{run}/fold-1.json")

    def register(self, run: str, state: ApprovalState) -> str:
        """Make a version of a run."""
        archive = self.folder / "model.tar.gz"
        archive.write_bytes(MODEL)
        submission = Submission(run, archive, hashlib.sha256(MODEL).hexdigest(), run, {}, {})
        version = self.registry.register(submission, who="ann").version
        self.registry.set_state(version, state, who="ann", why="looked at it")
        return version

    def register_by_pipeline(self, run: str, state: ApprovalState) -> None:
        """Make a version as a pipeline does: its document lies with the run's artifacts."""
        names = self.cloud.names
        metrics = {"multiclass_classification_metrics": {"accuracy": {"value": 0.9}}}
        self.put(f"artifacts/{run}/evaluation.json", body=json.dumps(metrics).encode())
        self.put(f"artifacts/{run}/model.tar.gz")
        place = names.uri("artifacts", run)
        served = {"Image": "i", "ModelDataUrl": f"{place}model.tar.gz"}
        statistics = {"ContentType": "application/json", "S3Uri": f"{place}evaluation.json"}
        self.sagemaker.create_model_package(
            ModelPackageGroupName=names.group,
            ModelApprovalStatus=str(state),
            InferenceSpecification={
                "Containers": [served],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
            ModelMetrics={"ModelQuality": {"Statistics": statistics}},
        )

    def job(self, run: str, status: str) -> None:
        """Leave a training job that nobody follows."""
        name = self.cloud.names.training_job(run)
        output = {"S3OutputPath": self.cloud.names.uri("artifacts")}
        request = {"TrainingJobName": name, "OutputDataConfig": output}
        job = Job("Training", request, self.folder / name, self.cloud.s3, status=status)
        job.ended = None if status == "InProgress" else job.created
        self.cloud.jobs.jobs[name] = job

    def model(self, name: str, run: str = "run-x", *, tagged: bool = True) -> None:
        """Make a model of a run's archive."""
        names = self.cloud.names
        archive = f"{names.uri('artifacts', run)}model.tar.gz"
        self.sagemaker.create_model(
            ModelName=name,
            PrimaryContainer={"Image": "i", "ModelDataUrl": archive},
            ExecutionRoleArn=names.role_arn,
            Tags=tags(names) if tagged else [],
        )

    def config(self, name: str, *models: str, tagged: bool = True) -> None:
        """Make an endpoint configuration."""
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {"VariantName": f"v{number}", "ModelName": model, "InitialInstanceCount": 1}
                for number, model in enumerate(models)
            ],
            Tags=tags(self.cloud.names) if tagged else [],
        )

    def endpoint(self, name: str, config: str) -> None:
        """Make an endpoint."""
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)


@contextmanager
def running_scene(server: S3Server, folder: Path) -> Iterator[Scene]:
    """Give an account in which nobody has done anything yet."""
    made = clients.client
    resources = Resources()
    # Made once for each service, since that takes longer than most of what they are asked.
    opened = cache(lambda service: made(service, AwsConfig()))
    with (
        running_cloud(server, folder, resources) as cloud,
        mock.patch.object(clients, "client", lambda service, _: opened(service)),
    ):
        yield Scene(cloud, resources, folder)
