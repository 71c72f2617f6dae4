"""Names and settings that the tests of requests start from."""

from basketwise.aws.names import AwsNames, names_of
from basketwise.config import AwsConfig, Config, GateConfig, TrainingConfig

RUN = "run-20260203-120005-12"
CONFIG = Config()
OWN = Config(
    aws=AwsConfig(
        image="own", image_uri="123456789012.dkr.ecr.eu-west-1.amazonaws.com/own:1", spot=False
    ),
    training=TrainingConfig(models=("xgboost",), folds=3, calibration="isotonic"),
    gate=GateConfig(min_accuracy=0.9),
)
NAMES: AwsNames = names_of(CONFIG, account_id="123456789012", region="eu-west-1")
BUCKET = "mlops-retail-prediction-dev-123456789012"
IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
TAGS = [
    {"Key": "Project", "Value": "RetailPredictionMLOps"},
    {"Key": "Environment", "Value": "dev"},
]
