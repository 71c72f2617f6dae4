"""What SageMaker serves: models, endpoint configurations, endpoints; and the tags of all three."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.fakes.model_registry import ACCOUNT, REGION, RefusedError

KINDS = {"Model": "model", "EndpointConfig": "endpoint-config", "Endpoint": "endpoint"}
"""How each is called in an ARN."""

CALLED = {"Model": "model", "EndpointConfig": "endpoint configuration", "Endpoint": "endpoint"}
"""How each is called in an answer."""


class Resources:
    """Models, configurations and endpoints by kind and name.

    Attributes
    ----------
    page
        As they were made; a test may change them.
    page
        How many one list holds at most.
    alarm
        Why an update is taken back; empty: it is not.
    creates
        The state that a new endpoint ends in.
    """

    def __init__(self) -> None:
        self.by_kind: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
        self.tags: dict[str, list[dict[str, str]]] = {}
        self.page = 2
        self.alarm = ""
        self.creates = "InService"
        self.scaled: list[dict[str, Any]] = []
        self.alarms: dict[str, dict[str, Any]] = {}
        self._next: dict[str, dict[str, Any]] = {}

    def names(self, kind: str) -> list[str]:
        return sorted(self.by_kind[kind])

    def CreateModel(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._create("Model", sent)

    def CreateEndpointConfig(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for variant in sent["ProductionVariants"]:
            if "ModelName" in variant:
                self._get("Model", variant)
        return self._create("EndpointConfig", sent)

    def CreateEndpoint(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._get("EndpointConfig", sent)
        more = {"EndpointStatus": self.creates, "LastModifiedTime": datetime.now(UTC)}
        return self._create("Endpoint", sent | more)

    def UpdateEndpoint(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._get("EndpointConfig", sent)
        endpoint = self._get("Endpoint", sent)
        if endpoint["EndpointStatus"] != "InService":
            raise RefusedError("ValidationException", "Cannot update in-progress endpoint.")
        for alarm in sent["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]:
            if alarm["AlarmName"] not in self.alarms:
                raise RefusedError("ValidationException", "An alarm is missing.")
        endpoint["EndpointStatus"] = "Updating"
        changes = {"EndpointStatus": "InService"}
        changes |= (
            {"FailureReason": self.alarm}
            if self.alarm
            else {"EndpointConfigName": sent["EndpointConfigName"]}
        )
        self._next[sent["EndpointName"]] = changes
        return {"EndpointArn": endpoint["EndpointArn"]}

    def PutMetricAlarm(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.alarms[sent["AlarmName"]] = sent
        return {}

    def RegisterScalableTarget(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.scaled.append(sent)
        return {"ScalableTargetARN": "arn:aws:application-autoscaling:x"}

    def PutScalingPolicy(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.scaled.append(sent)
        return {"PolicyARN": "arn:aws:autoscaling:x", "Alarms": []}

    def DescribeModel(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._get("Model", sent)

    def DescribeEndpointConfig(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._get("EndpointConfig", sent)

    def DescribeEndpoint(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        endpoint = self._get("Endpoint", sent)
        described = dict(endpoint)
        # What changes by itself has done so before it is described again.
        endpoint |= self._next.pop(sent["EndpointName"], {})
        return described

    def DeleteModel(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._delete("Model", sent)

    def DeleteEndpointConfig(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        # Not even one that an endpoint has is refused.
        return self._delete("EndpointConfig", sent)

    def ListModels(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._list("Model", sent)

    def ListEndpointConfigs(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._list("EndpointConfig", sent)

    def ListEndpoints(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._list("Endpoint", sent)

    def AddTags(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        stored = {
            item["Key"]: item for item in [*self.tags.get(sent["ResourceArn"], []), *sent["Tags"]]
        }
        self.tags[sent["ResourceArn"]] = list(stored.values())
        return {"Tags": list(stored.values())}

    def ListTags(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        page = self.tags.get(sent["ResourceArn"], [])
        begin = int(sent.get("NextToken", "0"))
        more = {"NextToken": str(begin + 1)} if begin + 1 < len(page) else {}
        return {"Tags": page[begin : begin + 1]} | more

    def _create(self, kind: str, sent: dict[str, Any]) -> dict[str, Any]:
        name = sent[f"{kind}Name"]
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{KINDS[kind]}/{name}"
        if name in self.by_kind[kind]:
            message = f'Cannot create already existing {CALLED[kind]} "{arn}".'
            raise RefusedError("ValidationException", message)
        stored = {key: value for key, value in sent.items() if key != "Tags"}
        self.by_kind[kind][name] = stored | {f"{kind}Arn": arn, "CreationTime": datetime.now(UTC)}
        self.tags[arn] = list(sent.get("Tags", []))
        return {f"{kind}Arn": arn}

    def _get(self, kind: str, sent: dict[str, Any]) -> dict[str, Any]:
        name = sent[f"{kind}Name"]
        if name not in self.by_kind[kind]:
            arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{KINDS[kind]}/{name}"
            raise RefusedError("ValidationException", f'Could not find {CALLED[kind]} "{arn}".')
        return self.by_kind[kind][name]

    def _delete(self, kind: str, sent: dict[str, Any]) -> dict[str, Any]:
        self.tags.pop(self._get(kind, sent)[f"{kind}Arn"])
        del self.by_kind[kind][sent[f"{kind}Name"]]
        return {}

    def _list(self, kind: str, sent: dict[str, Any]) -> dict[str, Any]:
        names = [name for name in self.names(kind) if sent.get("NameContains", "") in name]
        begin = int(sent.get("NextToken", "0"))
        end = begin + min(self.page, sent.get("MaxResults", 10))
        keys = [f"{kind}Name", f"{kind}Arn", "CreationTime"]
        if kind == "Endpoint":
            keys += ["EndpointStatus", "LastModifiedTime"]
        page = [{key: self.by_kind[kind][name][key] for key in keys} for name in names[begin:end]]
        more = {"NextToken": str(end)} if end < len(names) else {}
        return {f"{kind}s": page} | more
