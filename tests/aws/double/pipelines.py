"""SageMaker Pipelines: definitions, and executions that really run their jobs."""

from __future__ import annotations

import json
import threading
from copy import deepcopy
from typing import Any
from uuid import uuid4

from tests.aws.double.execution import Execution, Runner
from tests.aws.double.jobs import Jobs
from tests.fakes.model_registry import ACCOUNT, REGION, ModelRegistryDouble, RefusedError


class Pipelines:
    """Pipelines by name, and their executions, the latest last.

    Attributes
    ----------
    page
        Executions or steps that one list holds at most.
    """

    def __init__(self, jobs: Jobs, registry: ModelRegistryDouble, bucket: str) -> None:
        self.runner = Runner(jobs, registry, bucket)
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.executions: list[Execution] = []
        self.page = 2
        self._tokens: dict[str, Execution] = {}

    def CreatePipeline(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = sent["PipelineName"]
        if name in self.pipelines:
            message = f"Pipeline names must be unique: {name} already exists."
            raise RefusedError("ValidationException", message)
        return self._keep(sent)

    def UpdatePipeline(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._keep(self._pipeline(sent) | sent)

    def DescribePipeline(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        result = dict(self._pipeline(sent))
        result.pop("ClientRequestToken", None)
        return result | {"PipelineArn": _arn(sent["PipelineName"]), "PipelineStatus": "Active"}

    def StartPipelineExecution(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        definition = json.loads(self._pipeline(sent)["PipelineDefinition"])
        known = self._tokens.get(sent["ClientRequestToken"])
        if known is None:
            known = self._tokens[sent["ClientRequestToken"]] = Execution(
                arn=f"{_arn(sent['PipelineName'])}/execution/{uuid4().hex[:12]}",
                name=sent["PipelineExecutionDisplayName"],
                definition=definition,
                parameters=_parameters(definition, sent.get("PipelineParameters", [])),
            )
            self.executions.append(known)
            threading.Thread(target=self.runner.run, args=(known,), daemon=True).start()
        return {"PipelineExecutionArn": known.arn}

    def DescribePipelineExecution(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        result = self._execution(sent)
        described = {
            "PipelineExecutionArn": result.arn,
            "PipelineExecutionDisplayName": result.name,
            "PipelineExecutionStatus": result.status,
            "CreationTime": result.created,
        }
        return described | ({"FailureReason": result.reason} if result.reason else {})

    def ListPipelineExecutions(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._pipeline(sent)
        assert sent["SortBy"] == "CreationTime"
        listed = [
            {
                "PipelineExecutionArn": item.arn,
                "PipelineExecutionDisplayName": item.name,
                "PipelineExecutionStatus": item.status,
                "StartTime": item.created,
            }
            for item in self.executions
        ]
        if sent["SortOrder"] == "Descending":
            listed.reverse()
        return self._listed("PipelineExecutionSummaries", listed, sent)

    def ListPipelineExecutionSteps(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert sent["SortOrder"] == "Ascending"
        steps = deepcopy(self._execution(sent).steps)
        return self._listed("PipelineExecutionSteps", steps, sent)

    def close(self) -> None:
        """Begin no further step."""
        self.runner.closed = True

    def _keep(self, sent: dict[str, Any]) -> dict[str, Any]:
        json.loads(sent["PipelineDefinition"])
        self.pipelines[sent["PipelineName"]] = sent
        return {"PipelineArn": _arn(sent["PipelineName"])}

    def _pipeline(self, sent: dict[str, Any]) -> dict[str, Any]:
        name = sent["PipelineName"]
        if name not in self.pipelines:
            raise RefusedError("ResourceNotFound", f"Pipeline {name} does not exist.")
        return self.pipelines[name]

    def _execution(self, sent: dict[str, Any]) -> Execution:
        for item in self.executions:
            if item.arn == sent["PipelineExecutionArn"]:
                return item
        raise RefusedError("ResourceNotFound", "Pipeline execution does not exist.")

    def _listed(self, key: str, all_of_them: list[Any], sent: dict[str, Any]) -> dict[str, Any]:
        begin = int(sent.get("NextToken", "0"))
        end = begin + min(self.page, sent.get("MaxResults", self.page))
        more = {"NextToken": str(end)} if end < len(all_of_them) else {}
        return {key: all_of_them[begin:end]} | more


def _parameters(definition: dict[str, Any], sent: list[dict[str, str]]) -> dict[str, Any]:
    """Lay what a start gives over the defaults, as strictly as AWS does."""
    known = {item["Name"]: item for item in definition["Parameters"]}
    values = {name: item["DefaultValue"] for name, item in known.items() if "DefaultValue" in item}
    for item in sent:
        if item["Name"] not in known:
            raise RefusedError("ValidationException", f"Unknown parameter: {item['Name']}")
        number = known[item["Name"]]["Type"] in ("Float", "Integer")
        values[item["Name"]] = float(item["Value"]) if number else item["Value"]
    if missing := sorted(known.keys() - values.keys()):
        raise RefusedError("ValidationException", f"Parameters without a value: {missing}")
    return values


def _arn(name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/{name}"
