"""Every setting of Basketwise: its name, its default, what is allowed.

One TOML file, one section a stage. Everything here is read-only once loaded; how flags,
environment and file are laid over the defaults is in :mod:`basketwise.settings`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    create_model,
    field_validator,
    model_validator,
)

from basketwise import aws_limits as limits
from basketwise.candidates import CANDIDATES
from basketwise.redaction import redacted_address, redacted_values, without_credentials
from basketwise.schema import (
    BASKET_ID,
    BASKET_ID_PARTS,
    CLASSES,
    COLUMN_NAMES,
    DEFAULT_GROUPS,
    DEFAULT_LABELS,
    FEATURE_GROUPS,
    GROUP_NAME,
    MISSING_WORDS,
    PROD_NAME,
    SHOP_DATE,
    UNIT_PRICE,
)

LabelName = Literal["Low", "Medium", "High", "Unclassified"]
if TYPE_CHECKING:
    ModelName: TypeAlias = str
    GroupName: TypeAlias = str
else:
    ModelName = Literal[tuple(CANDIDATES)]
    GroupName = Literal[FEATURE_GROUPS]
SplitStrategy = Literal["time", "stratified", "customer"]
SliceColumn = Literal[
    "store_format", "store_region", "shop_week", "shop_weekday", "shop_hour", "basket_size", "card"
]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
T = TypeVar("T")
OwnColumns: TypeAlias = "Mapping[str, str | tuple[str, ...]]"
"""A retailer's own column names by ours; BASKET_ID may consist of several."""


def _each_once(names: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(names)) != len(names):
        raise ValueError("name each once")
    return names


def _not_empty(names: tuple[T, ...]) -> tuple[T, ...]:
    if not names:
        raise ValueError("name at least one")
    return names


EachOnce = Annotated[tuple[T, ...], AfterValidator(_each_once)]
NonEmpty = Annotated[EachOnce[T], AfterValidator(_not_empty)]


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, values are fixed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


class DataConfig(Section):
    """How raw files are read."""

    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    """Text encoding of CSV files."""
    columns: dict[str, str | tuple[str, ...]] = {}
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
    """Maximum number of baskets that each fold's model is fitted on (0: all); every training
    basket is still scored out of fold."""
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


GRAVITON = re.compile(r"ml\.[a-z]+[0-9]+[a-z]*g")
"""Instance types with AWS's own processors: a ``g`` after the generation (AWS, Amazon EC2
Instance Types, naming conventions, 2025); ``g5`` and ``g4dn`` are of the family g."""


class AwsConfig(Section):
    """Where and how jobs run on Amazon SageMaker."""

    region: Annotated[str, Field(pattern=r"^$|^[a-z]{2}(-[a-z]+)+-[0-9]$")] = ""
    """Region of the bucket and the jobs. Empty: that of the AWS profile or environment."""
    project: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,30}$")] = "mlops-retail-prediction"
    """First part of every resource's name."""
    environment: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,9}$")] = "dev"
    """Second part of every resource's name."""
    bucket: Annotated[str, Field(pattern=r"^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = ""
    """Bucket of the workspace. Empty: <project>-<environment>-<account id>."""
    role_arn: Annotated[str, Field(pattern=r"^$|^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$")] = ""
    """Role that jobs run under. Empty: <project>-<environment>-sagemaker-execution."""
    image: Literal["prebuilt", "own"] = "prebuilt"
    """prebuilt: AWS's scikit-learn image, onto which each job installs Basketwise; own: image_uri,
    built from the Dockerfile."""
    image_tag: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+-[0-9]+(-py3[0-9]+)?-cpu-py3$")] = (
        "1.9-0-cpu-py3"
    )
    """Tag of AWS's scikit-learn image, of prebuilt; it must be one with Python 3.12."""
    image_uri: str = ""
    """Container image in your own registry; required with own."""
    archive: Literal["slim", "self-contained"] = "slim"
    """What a version's archive brings for AWS's image. slim: versions of libraries, which each
    instance installs from a package index; self-contained: the libraries, 70 to 130 MB, so that it
    starts without one."""
    etl: Literal["python", "spark"] = "python"
    """What ETL runs on. python: one instance of the image; spark: AWS's Spark image, on
    etl_instances instances, onto which the job installs Basketwise."""
    etl_instances: Annotated[int, Field(ge=1, le=100)] = 2
    """Number of instances of ETL on Spark."""
    spark_image_uri: str = ""
    """Container image of ETL on Spark, with smspark-submit as AWS's has it. Empty: AWS's."""
    evaluate: Literal["auto", "local", "job"] = "auto"
    """Where a run is evaluated. local: on the machine that started it, which downloads gold, and
    silver if there is a champion; job: as a job; auto: as a job if that is more than 500 MB."""
    processing_instance: Annotated[str, Field(pattern=r"^ml\.")] = "ml.m5.large"
    """Instance type for ETL and evaluation."""
    training_instance: Annotated[str, Field(pattern=r"^ml\.")] = "ml.m5.large"
    """Instance type for training."""
    volume_gb: Annotated[int, Field(ge=1, le=16_384)] = 30
    """Disk size of each instance, in GB."""
    max_run: Annotated[int, Field(ge=60, le=432_000)] = 3600
    """Maximum run time of a job, in seconds."""
    max_wait: Annotated[int, Field(ge=60, le=864_000)] = 7200
    """Maximum time of a spot training in seconds, waiting included."""
    spot: bool = True
    """Whether training runs on spot capacity: cheaper, and continued when it is interrupted."""
    poll_seconds: Annotated[float, Field(gt=0, le=600)] = 15.0
    """Seconds between two polls of a running job."""
    notify: Annotated[
        str,
        Field(
            pattern=r"^$|^[^@\s]+@[^@\s]+$|^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$"
        ),
    ] = ""
    """E-mail address, or ARN of an SNS topic, that new, approved and rejected versions are told to.
    Empty: none."""
    usd_per_hour: Positive | dict[str, Positive] | None = None
    """Price of an instance hour in USD, for the estimated cost: one number for every instance type,
    or a table of them by type. What is not in it: AWS's list price, where that is known."""
    subnets: Annotated[
        EachOnce[Annotated[str, Field(pattern=limits.SUBNET)]],
        Field(max_length=limits.MAX_SUBNETS),
    ] = ()
    """Subnets of your VPC that jobs and endpoints run in, with security_groups. Empty: in AWS's own
    network."""
    security_groups: Annotated[
        EachOnce[Annotated[str, Field(pattern=limits.SECURITY_GROUP)]],
        Field(max_length=limits.MAX_SECURITY_GROUPS),
    ] = ()
    """Security groups of jobs and endpoints in that VPC."""
    kms_key: Annotated[str, Field(pattern=limits.KEY)] = ""
    """ARN of the KMS key that encrypts the bucket, outputs and volumes. Empty: keys of AWS."""
    network_isolation: bool = False
    """Whether jobs and models reach no network at all. With image = "prebuilt", libraries are
    uploaded to code/, and installed from there."""
    permissions_boundary: Annotated[str, Field(pattern=limits.BOUNDARY)] = ""
    """ARN of the policy that bounds the roles which 'aws provision' creates. Empty: none."""
    tags: Annotated[dict[str, str], AfterValidator(limits.checked_tags)] = {}
    """Your own tags, on everything that is created on AWS."""
    endpoint_url: str = ""
    """Endpoint of S3-compatible or other stand-in services. Empty: AWS."""

    def __hash__(self) -> int:
        """Hash what is set: clients are cached by it, and a table of tags has no hash."""
        return hash(json.dumps(self.model_dump(mode="json"), sort_keys=True))

    @property
    def installs(self) -> bool:
        """Whether some job installs Basketwise onto an image of AWS's, from ``code/``."""
        return self.image == "prebuilt" or self.etl == "spark"

    @property
    def brings_wheels(self) -> bool:
        """Whether the libraries of jobs have to lie in ``code/``, since jobs reach no index."""
        return self.image == "prebuilt" and self.network_isolation

    @property
    def arm_instances(self) -> tuple[str, ...]:
        """The instance types of jobs that are of AWS's Graviton processors, which are ARM64.

        Examples
        --------
        >>> AwsConfig(
        ...     image="own", image_uri="…", training_instance="ml.c7g.large"
        ... ).arm_instances
        ('ml.c7g.large',)
        """
        chosen = (self.processing_instance, self.training_instance)
        return tuple(name for name in dict.fromkeys(chosen) if GRAVITON.match(name))

    @model_validator(mode="after")
    def _runs_on(self) -> AwsConfig:
        # Refused now: SageMaker would say so after minutes, in words of the container's.
        for key, prebuilt in (
            ("processing_instance", self.installs),
            ("training_instance", self.image == "prebuilt"),
        ):
            name = getattr(self, key)
            if prebuilt and GRAVITON.match(name):
                raise ValueError(
                    f"{key} = {name!r} has an ARM64 processor (Graviton); AWS's images and the "
                    "libraries that jobs install are for x86-64, for example ml.m5.large. With "
                    'etl = "python" and image = "own" it can run an image that was built for ARM64'
                )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> AwsConfig:
        if self.max_wait < self.max_run:
            raise ValueError("max_wait must not be below max_run")
        if self.image == "own" and not self.image_uri:
            raise ValueError('image = "own" needs image_uri')
        if self.image == "own" and self.archive == "self-contained":
            raise ValueError(
                'archive = "self-contained" is for image = "prebuilt"; an image of your own '
                "contains the libraries"
            )
        return self

    @model_validator(mode="after")
    def _controlled(self) -> AwsConfig:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups go together: set both or none")
        if self.network_isolation and self.etl == "spark":
            raise ValueError(
                'etl = "spark" needs the network, so it does not go with network_isolation'
            )
        for name in ("processing_instance", "training_instance"):
            if self.kms_key and limits.has_local_storage(getattr(self, name)):
                raise ValueError(
                    f"{name} = {getattr(self, name)!r} has disks of its own, which take no "
                    "kms_key; choose a type without"
                )
        return self


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
