"""``metadata.json``: what a reader of the gold files, and a scorer of new baskets, must know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from basketwise.errors import InputError
from basketwise.etl.gold.tables import METADATA_FILE
from basketwise.etl.lines.rules import Rules
from basketwise.etl.raw.sources import FileRecord, Skipped
from basketwise.files import read_document
from basketwise.schema import CLASSES


class Record(BaseModel):
    """A part of the metadata; unknown keys are allowed, so that older readers stay able."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _distribution(shares: list[float]) -> list[float]:
    if len(shares) != len(CLASSES) or not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"they are not {len(CLASSES)} shares")
    if abs(sum(shares) - 1) > 1e-6:
        raise ValueError("they do not add up to 1")
    return shares


class Encoders(Record):
    """Categories of the training data, sorted; a category's number is its position."""

    store_format: list[str]
    store_region: list[str]


class Outliers(Record):
    """How lines with a high SPEND were treated."""

    treatment: Literal["clip", "drop", "keep"]
    quantile: float
    threshold: float
    """GBP."""
    lines: int
    """Accepted lines above it."""


class Lines(Record):
    """Where the lines went; accepted + rejected = read."""

    read: int
    accepted: int
    rejected: int
    rejected_by_reason: dict[str, int]


class Split(Record):
    """How the baskets were split."""

    strategy: str
    test_size: float
    random_state: int
    folds: int
    train_weeks: list[int]
    forward_weeks: list[int] = []
    """The latest training weeks, where they are the last fold."""
    test_weeks: list[int]


class HistoryRecord(Record):
    """What a model needs to know of the customers' history, and what there was of it."""

    shares: Annotated[list[float], AfterValidator(_distribution)]
    """Of Low, Medium and High among the training baskets."""
    customers: int
    """In the history."""
    train: int
    """Training baskets with an earlier one of their customer."""
    test: int
    """Test baskets with one."""


class Trial(Record):
    """An optional feature group that was tried on left-out training baskets."""

    group: str
    gain: float
    """Log loss (nats per basket) that it took away, on average."""
    error: float
    """Standard error of the gain."""
    chosen: bool


class LearningPoint(Record):
    """An index that was learned from some of the training weeks, and judged on later ones."""

    weeks: int
    baskets: int
    accuracy: float
    error: float
    """Standard error of the accuracy."""


class LearningCurve(Record):
    """The accuracy that the index alone reaches with more and more training weeks."""

    judged_weeks: list[int] = []
    """The latest training weeks, from which no point was learned."""
    judged_baskets: int = 0
    points: list[LearningPoint] = []
    """Fewest weeks first."""
    gain: float = 0.0
    """Accuracy of the last point minus that of the one before, on the same baskets."""
    error: float = 0.0
    """Standard error of the gain."""
    best: int | None = None
    """The weeks, the judged ones included, with which an index is clearly better than with all."""
    reason: str = ""
    """Why there are no points."""


class Metadata(Record):
    """The whole of ``metadata.json``."""

    feature_columns: list[str]
    encoders: Encoders
    train_samples: int
    test_samples: int
    rest_samples: int = 0
    """Training baskets that were not drawn, where gold has their rows too."""
    uncertain: int | None = None
    """Test baskets of which no product says anything; null without a product index, and absent from
    earlier versions' files."""
    new_products: list[float] = []
    """Shares of the test baskets in each band of shares of new products, see
    :data:`basketwise.features.product.NEW_BANDS`; empty without product features."""
    target_classes: list[str] = Field(default_factory=lambda: list(CLASSES))
    etl_timestamp: str
    """ISO 8601, UTC."""
    groups: list[str]
    tried: list[Trial] = []
    """Optional feature groups that were tried; those that were chosen are among ``groups``."""
    weighting: Literal["lines", "spend", "quantity"] | None = None
    """What weighs a product within its basket; null without an index."""
    learning_curve: LearningCurve = LearningCurve(reason="it was not measured")
    history: HistoryRecord | None = None
    """Of a model that uses it."""
    outliers: Outliers
    split: Split
    lines: Lines
    baskets: dict[str, int]
    """Accepted baskets by label, Unclassified included."""
    products: int
    files: list[FileRecord]
    skipped: list[Skipped] = []
    """Skipped files and folders."""
    product_file: FileRecord | None = None
    """The product file, if there is one."""
    data_hash: str
    """sha256 over the files' names and digests."""
    rules: Rules = Rules(duplicates="reject")
    """How lines were read and judged; scoring does the same."""
    warnings: list[str] = []

    @property
    def snapshots(self) -> dict[str, str]:
        """The snapshot that was read of each table that has any, by the table's name."""
        return {file.name: file.snapshot for file in self.files if file.snapshot is not None}


def read_metadata(gold: Path) -> Metadata:
    """Read ``metadata.json`` of a gold folder.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    path = gold / METADATA_FILE
    if not path.is_file():
        raise InputError(f"There is no gold data in {str(gold)!r}.", "Run 'basketwise etl' first.")
    return read_document(Metadata, path, "basketwise etl PATH --force")
