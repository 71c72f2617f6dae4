"""One execution of a pipeline: its steps run, one after the other, as real jobs."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.aws.double.job import Job
from tests.aws.double.jobs import Jobs
from tests.aws.service_model import check
from tests.fakes.model_registry import ModelRegistryDouble, RefusedError

ENDED = ("Completed", "Failed", "Stopped")
GET = re.compile(r"\.(\w+)|\['([\w-]+)'\]")
CACHE_KEYS = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
}
"""What must be the same for a step to be taken from the cache (AWS, SageMaker Developer Guide,
Default cache key attributes by pipeline step type, 2025)."""


class StepError(Exception):
    """A step failed: what it says."""


@dataclass
class Execution:
    """One execution: how far it is."""

    arn: str
    name: str
    definition: dict[str, Any]
    parameters: dict[str, Any]
    created: float = field(default_factory=time.time)
    status: str = "Executing"
    reason: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list)
    jobs_by_step: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the API would describe of each step's job, by the step's name."""

    def resolved(self, value: Any) -> Any:
        """Look up whatever is known only now."""
        if isinstance(value, dict):
            if set(value) == {"Get"}:
                return self._get(value["Get"])
            return {key: self.resolved(item) for key, item in value.items()}
        return [self.resolved(item) for item in value] if isinstance(value, list) else value

    def _get(self, expression: str) -> Any:
        kind, name, *_ = expression.split(".")
        if kind == "Parameters":
            return self.parameters[name]
        value: Any = self.jobs_by_step[name]
        for key, item in GET.findall(expression.removeprefix(f"Steps.{name}")):
            value = next(entry for entry in value if item in entry.values()) if item else value[key]
        return value


class Runner:
    """Runs the steps of executions, and keeps what later ones may take from the cache.

    Failed steps are not tried again, whatever their retry policies say, and the cache does not
    forget.
    """

    def __init__(self, jobs: Jobs, registry: ModelRegistryDouble, bucket: str) -> None:
        self.jobs, self.registry, self.bucket = jobs, registry, bucket
        self.closed = False
        self._cache: dict[str, tuple[Job, str]] = {}

    def run(self, execution: Execution) -> None:
        """Work until it has ended."""
        try:
            self._steps(execution, execution.definition["Steps"])
            execution.status = "Succeeded"
        except StepError:
            execution.reason = "Step failure: One or multiple steps failed."
            execution.status = "Failed"

    def _steps(self, execution: Execution, steps: list[dict[str, Any]]) -> None:
        for step in steps:
            if self.closed:
                raise StepError("closed")
            state = {
                "StepName": step["Name"],
                "StepStatus": "Executing",
                "StartTime": time.time(),
            }
            execution.steps.append(state)
            branch: list[dict[str, Any]] = []
            try:
                branch = getattr(self, f"_{step['Type']}")(execution, step, state)
                state |= {"EndTime": time.time(), "StepStatus": "Succeeded"}
            except (StepError, AssertionError, RefusedError, KeyError, StopIteration) as error:
                reason = f"ClientError: {error}"
                state |= {
                    "EndTime": time.time(),
                    "StepStatus": "Failed",
                    "FailureReason": reason,
                }
                raise StepError from error
            self._steps(execution, branch)

    def _Processing(self, execution: Execution, step: Any, state: Any) -> list[Any]:  # noqa: N802
        return self._job(execution, step, state)

    def _Training(self, execution: Execution, step: Any, state: Any) -> list[Any]:  # noqa: N802
        return self._job(execution, step, state)

    def _Condition(self, execution: Execution, step: Any, state: Any) -> list[Any]:  # noqa: N802
        arguments = step["Arguments"]
        passed = True
        for item in arguments["Conditions"]:
            assert item["Type"] == "GreaterThanOrEqualTo"
            left, right = (execution.resolved(item[side]) for side in ("LeftValue", "RightValue"))
            passed = passed and float(left) >= float(right)
        state["Metadata"] = {"Condition": {"Outcome": str(passed)}}
        branch: list[Any] = arguments["IfSteps" if passed else "ElseSteps"]
        return branch

    def _RegisterModel(self, execution: Execution, step: Any, state: Any) -> list[Any]:  # noqa: N802
        request = execution.resolved(step["Arguments"])
        check("sagemaker", "CreateModelPackage", request, bucket=self.bucket)
        package = self.registry.CreateModelPackage(request)
        state["Metadata"] = {"RegisterModel": {"Arn": package["ModelPackageArn"]}}
        return []

    def _Fail(self, execution: Execution, step: Any, state: Any) -> list[Any]:  # noqa: N802
        message = execution.resolved(step["Arguments"]["ErrorMessage"])
        state["Metadata"] = {"Fail": {"ErrorMessage": message}}
        raise StepError(message)

    def _job(self, execution: Execution, step: dict[str, Any], state: dict[str, Any]) -> list[Any]:
        kind, request = step["Type"], execution.resolved(step["Arguments"])
        parts = {name: request.get(name) for name in CACHE_KEYS[kind]}
        key = json.dumps([step["Name"], parts], sort_keys=True)
        if step.get("CacheConfig", {}).get("Enabled") and key in self._cache:
            job, source = self._cache[key]
            state["CacheHitResult"] = {"SourcePipelineExecutionArn": source}
        else:
            run = execution.arn.rpartition("/")[2]
            name = f"pipelines-{run}-{step['Name']}-{uuid4().hex[:10]}"
            request[f"{kind}JobName"] = name
            check("sagemaker", f"Create{kind}Job", request, bucket=self.bucket)
            created = getattr(self.jobs, f"Create{kind}Job")(request)
            state["Metadata"] = {f"{kind}Job": {"Arn": created[f"{kind}JobArn"]}}
            job = self.jobs.jobs[name]
            while job.status not in ENDED:
                time.sleep(0.02)
            if job.status != "Completed":
                raise StepError(job.reason)
            self._cache[key] = job, execution.arn
        execution.jobs_by_step[step["Name"]] = self._described(job)
        state["Metadata"] = {
            f"{kind}Job": {"Arn": execution.jobs_by_step[step["Name"]][f"{kind}JobArn"]}
        }
        return []

    def _described(self, job: Job) -> dict[str, Any]:
        describe = getattr(self.jobs, f"Describe{job.kind}Job")
        value: dict[str, Any] = describe({f"{job.kind}JobName": job.name})
        log = job.log.read_text(errors="replace")
        metrics = []
        for item in job.request.get("AlgorithmSpecification", {}).get("MetricDefinitions", []):
            if values := re.findall(item["Regex"], log):
                metrics.append({"MetricName": item["Name"], "Value": float(values[-1])})
        return value | {"FinalMetricDataList": metrics}
