"""The settings of the stages, from data to gate."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    Field,
    create_model,
    field_validator,
)

from basketwise.candidates import CANDIDATES
from basketwise.config.section import (
    Count,
    EachOnce,
    GroupName,
    LabelName,
    ModelName,
    NonEmpty,
    Positive,
    Section,
    Seed,
    Share,
    SliceColumn,
    SplitStrategy,
)
from basketwise.schema import (
    BASKET_ID,
    BASKET_ID_PARTS,
    COLUMN_NAMES,
    DEFAULT_GROUPS,
    DEFAULT_LABELS,
    MISSING_WORDS,
    PROD_NAME,
    SHOP_DATE,
    UNIT_PRICE,
)


class DataConfig(Section):
    """How raw files are read."""

    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    """Text encoding of CSV files."""
    columns: dict[str, str | tuple[str, ...]] = Field(default={})
    """Your own column names, by the standard names: TransactionID for BASKET_ID, or a list of
    columns that identify a basket together. UNIT_PRICE, times QUANTITY, replaces SPEND."""
    date: str = ""
    """Your own name of the column of dates or times; week, weekday and hour follow from it."""
    date_format: str = ""
    """How dates are written, in the notation of strptime; empty: recognised by their values."""
    week: Annotated[str, Field(pattern=r"^(iso|(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))$")] = "iso"
    """What a week is where it follows from the date: iso, or the day (MM-DD) on which your fiscal
    years start."""
    decimal: Literal["auto", ".", ","] = "auto"
    """The decimal mark; auto: recognised by the values."""
    missing: tuple[str, ...] = MISSING_WORDS
    """Words that stand for a missing value, in any case; empty values always do."""
    labels: dict[str, LabelName] = Field(default_factory=lambda: dict(DEFAULT_LABELS))  # type: ignore[arg-type]
    """What each label of the input means."""
    products: str = ""
    """A product file: one row per product, PROD_CODE with PROD_NAME or the hierarchy, used where
    lines have none."""
    currency: str = ""
    """Currency of SPEND, such as EUR; printed with amounts, never converted. Empty: none."""

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: dict[str, str | tuple[str, ...]]) -> dict[str, str | tuple[str, ...]]:
        named = {name.upper(): own for name, own in columns.items()}
        known = (*COLUMN_NAMES, PROD_NAME, UNIT_PRICE)
        unknown = [name for name in named if name not in known]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not a column; known: {', '.join(known)}")
        for name, own in named.items():
            if isinstance(own, str):
                continue
            if name != BASKET_ID:
                raise ValueError(f"{name} is one column; only {BASKET_ID} can consist of several")
            if not 2 <= len(set(own)) == len(own) <= len(BASKET_ID_PARTS):
                raise ValueError(f"name 2 to {len(BASKET_ID_PARTS)} columns, each once")
        return named

    @field_validator("missing")
    @classmethod
    def _upper(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word.strip().upper() for word in words)

    @property
    def own_columns(self) -> dict[str, str | tuple[str, ...]]:
        """A retailer's own column names by ours, the column of dates among them."""
        return self.columns | ({SHOP_DATE: self.date} if self.date else {})


class EtlConfig(Section):
    """How lines are cleaned."""

    outliers: Literal["clip", "drop", "keep"] = "clip"
    """What happens to lines with SPEND above the quantile."""
    outlier_quantile: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Exact, linear interpolation, over all accepted lines."""
    duplicates: Literal["auto", "reject", "keep", "pieces"] = "auto"
    """What happens to a line that repeats another in every column: reject; keep; pieces: keep
    within a file, reject across files; auto: pieces if every QUANTITY is 1, else reject."""
    returns: Literal["reject", "net", "keep"] = "reject"
    """What happens to lines with a negative QUANTITY or SPEND: reject; net: with the product's
    other lines in the basket; keep."""


class FeaturesConfig(Section):
    """Which groups of features the models see."""

    groups: NonEmpty[GroupName] = DEFAULT_GROUPS
    """basket: spend, time and store; product: scores from the product index; customer: the
    customer's earlier baskets, which must be at hand wherever the model scores."""
    tried: tuple[GroupName, ...] = ("posterior", "weighted", "price", "season")
    """Optional groups, which the models see only if they help on left-out training baskets."""


class IndexConfig(Section):
    """How the product sensitivity index is learned."""

    ridge: Positive = 1.0
    """Strength of the ridge penalty, in units of weighted squared shares."""
    size_power: Annotated[float, Field(ge=0, le=4)] = 0.5
    """A basket of n lines weighs n ** -size_power: short baskets say more about each product."""
    refine_rounds: Annotated[int, Field(ge=0, le=100)] = 12
    """Maximum number of rounds in which the products' classes are refined."""
    refine_baskets: Count = 25
    """Refinement reads this number of the shortest baskets of each product, and ten times as many
    where its class is in doubt."""
    refine_max_lines: Count = 4_000_000
    """Maximum number of lines that refinement reads: beyond it, fewer baskets of each product."""


class SplitConfig(Section):
    """How baskets are split into training and test set."""

    strategy: SplitStrategy = "time"
    """time: the latest weeks are the test set; stratified: a random sample of each class;
    customer: no customer is in both sets."""
    test_size: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the baskets in the test set."""
    train_weeks: Literal["auto", "all"] | Count = "auto"
    """Latest training weeks that are learned from. auto: all, unless training on fewer is clearly
    better for the latest ones."""
    random_state: Seed = 42
    """Seed for splitting the baskets and learning the index."""


class _Training(Section):
    """Which candidates are trained, and how they are compared."""

    models: NonEmpty[ModelName] = tuple(CANDIDATES)
    """Candidates; the best cross-validated macro-F1 wins."""
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Folds of the cross-validation, and of the index's out-of-fold scores."""
    random_state: Seed = 42
    """Seed for the candidates and for resampling in the evaluation."""
    max_baskets: Annotated[int, Field(ge=1_000)] = 5_000_000
    """Maximum number of training baskets, drawn evenly by ids and split.random_state where there
    are more; the test set is not affected."""
    cv_max_baskets: Annotated[int, Field(ge=0)] = 40_000
    """Maximum number of baskets that each fold's model is fitted on (0: all); all training
    baskets are scored out of fold, evenly spaced ones where there are more than 500,000."""
    cv_stops_early: bool = True
    """Whether candidates that cannot win any more are asked about no further folds: those that
    are clearly behind after two, and those that would have to beat a nearly perfect one."""
    forest_max_baskets: Annotated[int, Field(ge=0)] = 100_000
    """Maximum number of baskets that each tree of the random forest is grown on, drawn with
    replacement (0: as many as there are, scikit-learn's default)."""
    forest_stops_early: bool = True
    """Whether the random forest stops growing once ten more trees would change next to nothing on
    baskets that they were not grown on; n_estimators is then the maximum."""
    compared_max_baskets: Annotated[int, Field(ge=0)] = 40_000
    """Maximum number of baskets that the candidates which lost the cross-validation are fitted on,
    to be compared with the winner on the test set (0: all). If the last fold's model has learned
    from as many, it is that one."""
    xgboost_on_spark: bool = False
    """Whether XGBoost, if it wins, is fitted on Spark, by its own estimator: on the rows of all
    training baskets, those beyond max_baskets too. Needs --engine spark and a classic session."""
    xgboost_workers: Annotated[int, Field(ge=0)] = 0
    """Tasks that this fit runs in side by side (0: as many as the cluster runs at a time)."""
    checkpoint_rounds: Count = 50
    """Checkpoint boosting every N rounds. Changing N changes the model slightly."""
    calibration: Literal["auto", "temperature", "isotonic", "none"] = "auto"
    """How the winner's probabilities are calibrated on its out-of-fold predictions: temperature:
    one number, predicted classes unchanged; isotonic: a step function for each class; auto:
    whichever has the smallest log loss on folds it was not fitted on."""


if TYPE_CHECKING:

    class TrainingConfig(_Training):
        """The settings of training, with the parameters of each candidate by its name."""

        def __init__(self, **values: Any) -> None: ...
        def __getattr__(self, name: str) -> dict[str, Any]: ...

else:
    # One table of parameters for each candidate.
    TrainingConfig = create_model(
        "TrainingConfig",
        __base__=_Training,
        __doc__=_Training.__doc__,
        __module__=__name__,
        **{
            name: (
                dict[str, Any],
                Field(
                    default_factory=partial(dict, candidate.parameters),
                    description=f"Parameters of {candidate.estimator}.",
                ),
            )
            for name, candidate in CANDIDATES.items()
        },
    )


class EvaluationConfig(Section):
    """How results are judged."""

    resamples: Annotated[int, Field(ge=100, le=100_000)] = 2000
    """Bootstrap resamples behind each interval."""
    resample: Literal["customers", "baskets"] = "customers"
    """What is resampled: customers with all their baskets, because baskets of one customer are
    correlated (a basket without a card counts as a customer); or single baskets."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Confidence level of every interval."""
    slices: EachOnce[SliceColumn] = (
        "store_format",
        "store_region",
        "shop_week",
        "basket_size",
        "card",
    )
    """Columns whose slices of the test set are scored separately."""
    importance_baskets: Count = 10_000
    """Number of test baskets for permutation importance."""
    importance_repeats: Annotated[int, Field(ge=1, le=100)] = 3
    """Number of shuffles per feature."""


class GateConfig(Section):
    """When a version is approved without a person."""

    min_accuracy: Share = 0.80
    """Minimum accuracy on the test set."""
    min_macro_f1: Share = 0.70
    """Minimum macro-F1 on the test set."""
    thresholds_on: Literal["estimate", "lower"] = "estimate"
    """What must reach the two minima: the estimate, or the lower bound of its interval."""
    champion: bool = True
    """Whether the challenger must not be worse than the champion on the same test baskets."""
    champion_margin: Share = 0.01
    """Non-inferiority margin: the challenger passes if the lower bound of the paired accuracy
    difference is at least minus the margin."""
    memory: Annotated[int, Field(ge=1, le=1_000)] = 26
    """The challenger must not be worse either than the best of so many approved versions, those
    registered last; 1: than the champion only."""
    min_test_baskets: Annotated[int, Field(ge=0)] = 100
    """Minimum number of test baskets."""
    max_rejected_share: Share = 0.1
    """Maximum share of rejected lines."""
