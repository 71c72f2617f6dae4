"""The documents that are sent and answered, as types: what ``/openapi.json`` is made of.

Requests are not validated by these: lines are judged where those of files are, one by one, so that
a bad one costs no other its answer. A test holds the answers to them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Key = Annotated[int | Annotated[str, Field(pattern=r"\S")], Field(union_mode="left_to_right")]
Value = str | int | float | None
Share = Annotated[float, Field(ge=0, le=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Label = Literal["Low", "Medium", "High"]


class Document(BaseModel):
    """A part of a request or of an answer."""

    model_config = ConfigDict(populate_by_name=True)


class Line(Document):
    """One till line: one product of a basket. Columns in any case; further ones may be given."""

    model_config = ConfigDict(extra="allow")

    PROD_CODE: Value = Field(description="The product.")
    SPEND: Value = Field(description="What the whole line costs.")
    QUANTITY: Value = Field(description="How many, or a weight.")
    SHOP_WEEK: Value = Field(None, description="YYYYWW.")
    SHOP_WEEKDAY: Value = Field(None, description="1 is Sunday.")
    SHOP_HOUR: Value = None
    STORE_FORMAT: Value = None
    STORE_REGION: Value = None


class Basket(Document):
    """One basket, whole."""

    basket_id: Key
    lines: list[Line] = Field(min_length=1)


class PredictRequest(Document):
    """The baskets to score; no id twice."""

    baskets: list[Basket] = Field(min_length=1)


class ModelIdentity(Document):
    """The model that answered."""

    version: str | None = Field(description="Its number in the registry; null for an archive.")
    sha256: str | None = Field(description="Digest of its archive; null for an unpacked one.")


class Product(Document):
    """A product of an explained basket, and what it adds to each feature of the products."""

    model_config = ConfigDict(extra="allow")

    prod_code: str
    prod_name: str | None
    lines: int = Field(ge=1)
    label: Literal["Low", "Medium", "High", "Unclassified"] = Field(alias="class")
    new: bool = Field(description="Not in the training data; judged by its group.")


class Prediction(Document):
    """What the model makes of one basket."""

    basket_id: str | int = Field(description="As it was sent; text for CSV.")
    predicted_sensitivity: Label
    p_low: Probability
    p_medium: Probability
    p_high: Probability
    known_share: Share | None = Field(
        description="Share of the lines whose product is in the training data."
    )
    certainty: Literal["Classified", "Unclassified"] = Field(
        description="Unclassified: no product says anything; the class is little but a guess."
    )
    explanation: str | None = Field(None, description="With explain=true.")
    products: list[Product] | None = Field(None, description="With explain=true.")


class RejectedLine(Document):
    """A line that could not be used."""

    basket_id: str | int | None
    row: int = Field(description="Number of the line within its basket; for CSV within the body.")
    reason: str


class UnseenDocument(Document):
    """What the model has not seen in training."""

    lines: int
    line_share: Share | None
    spend_share: Share | None
    store_baskets: int
    store_share: Share
    stores: dict[str, list[str]]


class FailedBasket(Document):
    """A line of JSON Lines that could not be scored."""

    basket_id: str | int | None = None
    error: str
    hint: str


class PredictResponse(Document):
    """The answer to a request for predictions."""

    model: ModelIdentity
    predictions: list[Prediction] = Field(description="In the order of the request.")
    rejected: dict[str, int] = Field(description="All rejected lines, by reason.")
    rejected_lines: list[RejectedLine] = Field(max_length=100, description="The first of them.")
    incomplete: list[str | int] = Field(description="Scored baskets that lost lines.")
    unscored: list[str | int] = Field(description="Baskets without a line that can be used.")
    unseen: UnseenDocument
    errors: list[FailedBasket] | None = Field(None, description="Of JSON Lines.")
    history: str | None = Field(
        None, description="That the model needs the customers' history and has none."
    )


class Problem(Document):
    """Why a request is refused (RFC 9457)."""

    title: str
    status: int
    detail: str = Field(description="What is wrong, and where.")
    hint: str = Field(description="What is allowed, and what to do.")
    error: str | None = Field(None, description="The detail again, for SageMaker's callers.")


class Status(Document):
    """Whether the server lives, or is ready."""

    status: str
    model: ModelIdentity | None = None


class ModelInfo(ModelIdentity):
    """What the model is."""

    status: str | None = Field(description="Its state in the registry.")
    loaded_at: str = Field(description="ISO 8601, UTC.")
    model_type: str | None
    groups: list[str] = Field(description="Its groups of features.")
    feature_columns: list[str]
    target_classes: list[str]
    train_baskets: int
    products: int
    needs_history: bool
    basketwise: str = Field(description="Version of the server.")


class Interval(Document):
    """A score with its interval."""

    estimate: float | None
    low: float | None
    high: float | None


class ClassScores(Document):
    """Scores of one class in the test set."""

    precision: float
    recall: float
    f1: float
    baskets: int


class ModelMetrics(ModelIdentity):
    """How the model did on its test set, once, before it was registered."""

    model_type: str | None
    trained_at: str | None
    test_baskets: int | None
    confidence: float | None = Field(description="Of the intervals.")
    accuracy: Interval
    f1: Interval = Field(description="Mean over the classes, as precision and recall are.")
    precision: float | None
    recall: float | None
    cv_accuracy: float | None = Field(description="By cross-validation on the training set.")
    cv_f1: float | None
    classes: dict[str, ClassScores]
    confusion_matrix: list[list[int]] = Field(description="True by predicted: Low, Medium, High.")
