"""What the result was made from."""

from __future__ import annotations

from typing import NotRequired

from pydantic import JsonValue
from typing_extensions import TypedDict

from basketwise.provenance import Host


class InputFile(TypedDict):
    """One raw file or table that was read; ``snapshot`` of a table that has any."""

    name: str
    sha256: str
    bytes: int
    lines: int
    snapshot: NotRequired[str]


class Baskets(TypedDict):
    """Baskets by label."""

    Low: int
    Medium: int
    High: int
    Unclassified: int


class SplitSummary(TypedDict):
    """The split; ``description`` is one sentence for people."""

    strategy: str
    train_baskets: int
    test_baskets: int
    description: str


class GroupTrial(TypedDict):
    """An optional feature group, tried on training baskets that were left out.

    ``gain`` is the log loss (nats per basket) that it takes away, ``error`` its standard error.
    """

    group: str
    gain: float
    error: float
    chosen: bool


class HistorySummary(TypedDict):
    """Of a model that needs the customers' history: how much of it there was.

    ``customers`` in the history; training and test baskets with an earlier one of their customer.
    """

    customers: int
    train_baskets: int
    test_baskets: int


class DataSummary(TypedDict):
    """What was read; ``lines_accepted + lines_rejected == lines_read``.

    ``files`` may name fewer than ``files_total``. ``outlier_threshold`` is money a line, ``None``
    where no quantile was taken; ``outliers`` counts the lines above it.
    """

    files: list[InputFile]
    files_total: int
    lines_read: int
    lines_accepted: int
    lines_rejected: int
    rejected_by_reason: dict[str, int]
    baskets: Baskets
    outlier_quantile: float
    outlier_threshold: float | None
    outliers: int
    products: int
    split: SplitSummary
    groups_tried: NotRequired[list[GroupTrial]]
    history: NotRequired[HistorySummary]


class Lineage(TypedDict):
    """What the result was made from; ``git_commit`` is ``None`` outside a repository."""

    data_hash: str
    code_version: str
    code_hash: str
    """sha256 over Basketwise's own source files."""
    git_commit: str | None
    seed: int
    host: Host
    versions: dict[str, str]
    config: dict[str, JsonValue]
