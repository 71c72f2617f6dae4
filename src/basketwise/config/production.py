"""The settings of what follows the gate: registry, business figures, deployment."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from basketwise.config.section import (
    Count,
    Positive,
    Section,
)
from basketwise.schema import (
    CLASSES,
    GROUP_NAME,
)


class RegistryConfig(Section):
    """Where versions are stored."""

    uri: str = ""
    """Empty: MLflow on SQLite in the workspace, or SageMaker Model Registry for an s3:// workspace.
    sagemaker: SageMaker Model Registry for any workspace. Otherwise: URI of an MLflow server, or
    the ARN of one that SageMaker runs."""
    group: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}$")] = GROUP_NAME
    """Name of the registered model: letters, digits and hyphens."""


class BusinessConfig(Section):
    """The assumptions behind the business impact; each is printed with the figures it affects."""

    predictions_per_day: Positive = 1000
    """Baskets scored per day."""
    days_per_month: Positive = 30
    """Days per month."""
    revenue_per_accurate_prediction: float = 10.0
    """Revenue per correct prediction."""
    cost_saving_per_prediction: float = 2.0
    """Savings per prediction, correct or not."""
    currency: str = ""
    """Currency of the amounts below; printed with them, never converted. Empty: data.currency."""
    cost_matrix: list[list[float]] | None = None
    """Money per basket, true class (row) by predicted class (column), order Low, Medium, High.
    Replaces the revenue per accurate prediction."""

    @field_validator("cost_matrix")
    @classmethod
    def _square(cls, matrix: list[list[float]] | None) -> list[list[float]] | None:
        size = len(CLASSES)
        if matrix is not None and [len(row) for row in matrix] != [size] * size:
            raise ValueError(f"give {size} rows of {size} numbers, order {', '.join(CLASSES)}")
        return matrix


class DeploymentConfig(Section):
    """What the exported deployment configuration asks for."""

    instance_type: str = "ml.t2.medium"
    """Instance type that serves the model."""
    initial_instance_count: Count = 1
    """Number of instances at the start."""
    max_instance_count: Count = 10
    """Maximum number of instances."""
    min_capacity: Count = 1
    """Minimum number of instances when scaling."""
    max_capacity: Count = 10
    """Maximum number of instances when scaling."""
    target_cpu_utilization: Annotated[int, Field(ge=1, le=100)] = 70
    """Target CPU utilisation in per cent."""

    @model_validator(mode="after")
    def _ordered(self) -> DeploymentConfig:
        if self.min_capacity > self.max_capacity:
            raise ValueError("min_capacity must not be above max_capacity")
        return self
