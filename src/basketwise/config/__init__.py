"""Every setting of Basketwise: its name, its default, what is allowed.

One TOML file, one section a stage. Everything here is read-only once loaded; how flags,
environment and file are laid over the defaults is in :mod:`basketwise.settings`.
"""

from __future__ import annotations

from typing import Any

from basketwise.config.amazon import AwsConfig
from basketwise.config.production import BusinessConfig, DeploymentConfig, RegistryConfig
from basketwise.config.section import (
    Count,
    LabelName,
    ModelName,
    OwnColumns,
    Positive,
    Section,
    SliceColumn,
    SplitStrategy,
)
from basketwise.config.stages import (
    DataConfig,
    EtlConfig,
    EvaluationConfig,
    FeaturesConfig,
    GateConfig,
    IndexConfig,
    SplitConfig,
    TrainingConfig,
)
from basketwise.redaction import redacted_address, redacted_values, without_credentials

__all__ = [
    "AwsConfig",
    "BusinessConfig",
    "Config",
    "Count",
    "DataConfig",
    "DeploymentConfig",
    "EtlConfig",
    "EvaluationConfig",
    "FeaturesConfig",
    "GateConfig",
    "IndexConfig",
    "LabelName",
    "ModelName",
    "OwnColumns",
    "Positive",
    "RegistryConfig",
    "Section",
    "SliceColumn",
    "SplitConfig",
    "SplitStrategy",
    "TrainingConfig",
]


class Config(Section):
    """All settings, one attribute a section; every one has a default.

    Examples
    --------
    >>> import basketwise as bw
    >>> config = bw.Config.model_validate({"split": {"strategy": "customer"}})
    >>> config.split.strategy, config.split.test_size
    ('customer', 0.2)
    """

    data: DataConfig = DataConfig()
    etl: EtlConfig = EtlConfig()
    features: FeaturesConfig = FeaturesConfig()
    index: IndexConfig = IndexConfig()
    split: SplitConfig = SplitConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    gate: GateConfig = GateConfig()
    registry: RegistryConfig = RegistryConfig()
    business: BusinessConfig = BusinessConfig()
    deployment: DeploymentConfig = DeploymentConfig()
    aws: AwsConfig = AwsConfig()

    def recorded(self) -> dict[str, Any]:
        """Return all settings as JSON values, to be stored with results: without any secret."""
        values: dict[str, Any] = redacted_values(self.model_dump(mode="json"), without_credentials)
        for section, key in (("registry", "uri"), ("aws", "endpoint_url")):
            values[section][key] = redacted_address(values[section][key])
        return values
