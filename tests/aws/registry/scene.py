"""What the tests of the registry on SageMaker share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from basketwise.aws.names import AwsNames
from basketwise.aws.registry.registry import SageMakerRegistry
from basketwise.config import AwsConfig, Config
from basketwise.registry.protocol import Submission
from tests.fakes.model_registry import REGION, ModelRegistryDouble


@dataclass
class Setup:
    """A registry, and both places where it keeps things."""

    double: ModelRegistryDouble
    s3: Any
    names: AwsNames
    submission: Submission

    def open(self, archive: Literal["slim", "self-contained"] = "slim") -> SageMakerRegistry:
        config = Config(aws=AwsConfig(region=REGION, archive=archive))
        return SageMakerRegistry(self.double.client(), self.s3, names=self.names, config=config)

    def package(self, version: str) -> dict[str, Any]:
        return self.double.packages[self.names.group][int(version) - 1]

    def console(self, version: str, status: str, comment: str | None = None) -> None:
        self.double.set_in_console(self.names.group, version, status, comment)

    def stored(self) -> list[str]:
        result = self.s3.list_objects_v2(Bucket=self.names.bucket, Prefix=self.names.prefix)
        return [item["Key"].removeprefix(f"{self.names.prefix}/") for item in result["Contents"]]

    def forget_index(self) -> None:
        key = self.names.key("model-registry", self.names.group, "index.json")
        self.s3.delete_object(Bucket=self.names.bucket, Key=key)

    def calls(self, operation: str) -> list[dict[str, Any]]:
        return [sent for name, sent in self.double.calls if name == operation]
