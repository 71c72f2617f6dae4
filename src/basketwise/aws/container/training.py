"""The training stage as a SageMaker Training job, on spot capacity if need be."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from basketwise.aws.container import layout
from basketwise.config import Config, ModelName
from basketwise.digests import content
from basketwise.errors import ConfigError, InputError
from basketwise.scratch import scratch
from basketwise.settings import PREFIX, SEPARATOR, load_config

ALL = "all"
OPTIONS = {
    "random-state": "training.random_state",
    "cv-folds": "training.folds",
    "test-size": "split.test_size",
}
"""Hyperparameters that are settings; ``model-type`` is one too, and may be ``all``."""

METRICS = {name: rf"metric: {name}=([0-9.]+);" for name in ("accuracy", "f1")}
"""What SageMaker finds a metric by in the log: its name, and the regular expression."""


def main(arguments: Sequence[str]) -> None:
    """Train on two channels, and write everything to the model folder.

    ``--model-dir --train --test`` are the folders that ``SM_MODEL_DIR``, ``SM_CHANNEL_TRAIN`` and
    ``SM_CHANNEL_TEST`` name; ``--model-type --random-state --cv-folds --test-size`` override the
    hyperparameters in SageMaker's file. Everything else is set by the environment.
    """
    options = _parser().parse_args(arguments)
    from basketwise.etl.gold.metadata import read_metadata
    from basketwise.files import GOLD_READ, RECORD_FILE
    from basketwise.training.stage import run_training

    hyperparameters = _hyperparameters()
    for name in ("model-type", *OPTIONS):
        value = getattr(options, name.replace("-", "_"))
        if value is not None:
            hyperparameters[name] = value
    config = _config(hyperparameters)
    options.model_dir.mkdir(parents=True, exist_ok=True)
    checkpoints = layout.base() / "checkpoints"
    with scratch() as gold:
        _link_gold(options.train, options.test, gold)
        if "test-size" in hyperparameters:
            _check_test_size(read_metadata(gold).split.test_size, config)
        gold_digests = content(gold)
        run_training(
            gold,
            options.model_dir,
            config.training,
            layout.ticker(),
            checkpoints if checkpoints.is_dir() else None,
        )
    # Shows which features the model was trained on.
    (options.model_dir / GOLD_READ).write_text(json.dumps(gold_digests, indent=2), encoding="utf-8")
    _print_metrics(options.model_dir)
    output = layout.output_data_dir()
    output.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(options.model_dir / RECORD_FILE, output / RECORD_FILE)


def _parser() -> layout.Parser:
    parser = layout.Parser("train", description=__doc__, allow_abbrev=False)
    # AWS's toolkit hands a hyperparameter over as it was written, some users write --model_dir.
    parser.add_argument("--model-dir", "--model_dir", type=Path, default=layout.model_dir())
    parser.add_argument("--train", type=Path, default=layout.channel("train"))
    parser.add_argument("--test", type=Path, default=layout.channel("test"))
    for name in ("model-type", *OPTIONS):
        parser.add_argument(f"--{name}")
    return parser


def _hyperparameters() -> dict[str, str]:
    """Read the hyperparameters of the job; those of SageMaker and AWS's toolkit are ignored."""
    path = layout.base() / "input" / "config" / "hyperparameters.json"
    if not path.is_file():
        return {}
    try:
        values: dict[str, Any] = dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"The hyperparameters cannot be read: {error}.") from error
    named = {
        name.replace("_", "-"): _plain(value)
        for name, value in values.items()
        if not name.startswith(("sagemaker_", "_"))
    }
    unknown = sorted(named.keys() - {"model-type", *OPTIONS})
    if unknown:
        raise ConfigError(
            f"{unknown[0]!r} is not a hyperparameter.",
            f"There are: model-type, {', '.join(OPTIONS)}. Other settings are environment "
            f"variables of the name {PREFIX}<SECTION>{SEPARATOR}<KEY>.",
        )
    return named


def _plain(value: Any) -> str:
    """Remove the quotes that script mode writes around every text."""
    text = str(value)
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _config(hyperparameters: Mapping[str, str]) -> Config:
    flags = [
        f"{setting}={hyperparameters[name]}"
        for name, setting in OPTIONS.items()
        if name in hyperparameters
    ]
    model_type, models = hyperparameters.get("model-type"), get_args(ModelName)
    if model_type is not None and model_type not in (ALL, *models):
        choices = ", ".join((*models, ALL))
        raise ConfigError(f"model-type is {model_type!r}.", f"Choose from {choices}.")
    if model_type is not None:
        flags.append(f"training.models={','.join(models) if model_type == ALL else model_type}")
    return load_config(None, os.environ, flags)


def _link_gold(train: Path, test: Path, gold: Path) -> None:
    """Make one gold folder of two channels, each of which contains gold files of one run."""
    from basketwise.etl.gold.tables import METADATA_FILE, TEST_FILE

    for name, folder in (("train", train), ("test", test)):
        if not folder.is_dir():
            raise InputError(
                f"The channel {name!r} is missing at {str(folder)!r}.",
                "Give the job the channels train and test, both of the gold files.",
            )
    for file in train.iterdir():
        if file.name != TEST_FILE and not file.name.startswith("."):
            (gold / file.name).symlink_to(file.absolute())
    if (test / TEST_FILE).is_file():
        (gold / TEST_FILE).symlink_to((test / TEST_FILE).absolute())
    pair = [folder / METADATA_FILE for folder in (train, test)]
    if len({path.read_bytes() for path in pair if path.is_file()}) > 1:
        raise InputError(
            f"The channels train and test differ in {METADATA_FILE}: they are of different runs.",
            "Use one gold folder for both.",
        )


def _check_test_size(actual: float, config: Config) -> None:
    if actual != config.split.test_size:
        raise InputError(
            f"The gold files were split with test-size {actual:g}, the hyperparameter says "
            f"{config.split.test_size:g}.",
            "Baskets are split when features are made: set split.test_size for the processing "
            f"job, or test-size to {actual:g}.",
        )


def _print_metrics(trained: Path) -> None:
    """Print what the winner, as it is shipped, scores on the test set; SageMaker reads the log."""
    import polars as pl

    from basketwise.etl.gold.tables import class_numbers
    from basketwise.files import TEST_PREDICTIONS_FILE
    from basketwise.schema import TARGET
    from basketwise.training.metrics import confusion_matrix, scores
    from basketwise.training.predictions import CALIBRATED, predicted_class

    table = pl.read_parquet(trained / TEST_PREDICTIONS_FILE, glob=False)
    matrix = confusion_matrix(class_numbers(table[TARGET]), predicted_class(table, CALIBRATED))
    winner = scores(matrix)
    for name in METRICS:
        click.echo(f"metric: {name}={getattr(winner, name):.6f};")
