"""A workspace that many runs have left things in, and how many requests a command makes there."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from basketwise.aws import clients
from basketwise.aws.registry.document import document_bytes
from basketwise.aws.running.runs import RunRecord
from basketwise.config import AwsConfig, Config
from basketwise.provenance import code_hash
from basketwise.registry.protocol import Submission
from basketwise.run.workspace import RUN_FORMAT
from tests.aws.double.job import Job
from tests.aws.leftover_scene import MODEL, Scene

SERVICES = ("s3", "sagemaker", "sts", "iam", "service-quotas")
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
WORKERS = 8


@dataclass(frozen=True)
class Crowd:
    """So many runs, each with a version, and so many objects in all."""

    scene: Scene
    runs: int
    objects: int

    def fill(self) -> None:
        """Leave what the runs leave: artifacts, records, versions, jobs; every second approved."""
        times = [FIRST + timedelta(hours=number) for number in range(self.runs)]
        plots = self.objects // self.runs - 6
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda at: self._leave(at, plots), times))
        for number, at in enumerate(times, start=1):
            self._register(f"{at:{RUN_FORMAT}}", number)
        # What registers a version writes the index too; here it is written once, for all.
        registry: Any = self.scene.registry
        registry.sync()

    def _leave(self, at: datetime, plots: int) -> None:
        scene, names, run = self.scene, self.scene.cloud.names, f"{at:{RUN_FORMAT}}"
        scene.put(*(f"artifacts/{run}/plot-{number}.png" for number in range(plots)), body=b"x")
        scene.run(run)
        record = RunRecord(
            run_id=run,
            data="nowhere",
            path="/nowhere",
            started_at=at.isoformat(timespec="seconds"),
            code=code_hash(),
            config=Config().recorded(),
        )
        scene.put(f".basketwise/runs/{run}.json", body=record.model_dump_json().encode())
        submission = Submission(
            run, scene.folder, hashlib.sha256(MODEL).hexdigest(), run, {"accuracy": 0.9}, {}
        )
        document = document_bytes(submission, at=FIRST, who="ann")
        folder = f"model-registry/{names.group}/submissions/{run}"
        scene.put(f"{folder}/metrics.json", body=document)

    def _register(self, run: str, number: int) -> None:
        double, names = self.scene.cloud.registry, self.scene.cloud.names
        if names.group not in double.groups:
            double.CreateModelPackageGroup({"ModelPackageGroupName": names.group})
        metrics = f"{names.uri('model-registry', names.group, 'submissions', run)}metrics.json"
        created = FIRST + timedelta(hours=number)
        state = "Approved" if number % 2 else "Rejected"
        sent = {
            "ModelPackageGroupName": names.group,
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {"Containers": [{"Image": "i", "ModelDataUrl": metrics}]},
            "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": metrics}}},
        }
        double.CreateModelPackage(sent)
        package = double.packages[names.group][-1]
        package["CreationTime"] = created
        package["ModelApprovalStatus"] = state
        entry = {
            "at": (created + timedelta(minutes=1)).isoformat(),
            "old": "PendingManualApproval",
            "new": state,
            "who": "ann",
            "why": "looked at it",
            "seen": {"status": "PendingManualApproval", "comment": ""},
        }
        folder = f"model-registry/{names.group}/changes/{number}-{created:%Y%m%dT%H%M%S}"
        name = f"{created + timedelta(minutes=1):%Y%m%dT%H%M%S%f}-0123abcd"
        self.scene.put(f"{folder}/{name}.json", body=json.dumps(entry).encode())
        for kind, job in (
            ("Training", names.training_job(run)),
            ("Processing", names.evaluation_job(run)),
        ):
            output = {"S3OutputPath": names.uri("artifacts")}
            request = {f"{kind}JobName": job, "OutputDataConfig": output}
            done = Job(kind, request, self.scene.folder / job, self.scene.cloud.s3)
            done.status, done.ended = "Completed", done.created
            self.scene.cloud.jobs.jobs[job] = done


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the requests to AWS by operation, while the block lasts."""
    counts: Counter[str] = Counter()

    def count(event_name: str, **_: object) -> None:
        counts[event_name.rpartition(".")[2]] += 1

    opened = [clients.client(service, AwsConfig()) for service in SERVICES]
    for client in opened:
        client.meta.events.register("before-send", count, unique_id="count")
    try:
        yield counts
    finally:
        for client in opened:
            client.meta.events.unregister("before-send", count, unique_id="count")
