"""Flags over environment over file over defaults, and what is said of a wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from basketwise.config import Config
from basketwise.errors import ConfigError
from basketwise.settings import load_config


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.toml"
    path.write_text("[split]\ntest_size = 0.3\nrandom_state = 3\nstrategy = 'customer'\n")
    return path


def test_without_anything_the_defaults_apply() -> None:
    assert load_config(None, {}) == Config()


def test_flags_beat_environment_beats_file_beats_default(file: Path) -> None:
    environment = {"BASKETWISE_SPLIT__RANDOM_STATE": "4", "BASKETWISE_SPLIT__TEST_SIZE": "0.4"}

    split = load_config(str(file), environment, ["split.test_size=0.5"]).split

    assert (split.strategy, split.random_state, split.test_size) == ("customer", 4, 0.5)
    assert load_config(str(file), {}).split.random_state == 3


def test_the_later_flag_wins() -> None:
    assert load_config(None, {}, ["training.folds=3", "training.folds=4"]).training.folds == 4


def test_the_file_of_the_working_directory_is_found(tmp_path: Path) -> None:
    Path("basketwise.toml").write_text("[training]\nfolds = 7\n")

    assert load_config(None, {}).training.folds == 7


def test_other_variables_are_left_alone() -> None:
    environment = {
        "BASKETWISE_CONFIG": "x",
        "BASKETWISE_WORKSPACE": "y",
        "PATH": "/",
        "NOT_BASKETWISE_SPLIT__TEST_SIZE": "0.9",
    }

    assert load_config(None, environment) == Config()


@pytest.mark.parametrize(
    "text", ["logistic,xgboost", " logistic , xgboost ", '["logistic", "xgboost"]']
)
def test_lists_are_written_as_people_write_them(text: str) -> None:
    wanted = ("logistic", "xgboost")

    assert load_config(None, {}, [f"training.models={text}"]).training.models == wanted
    assert load_config(None, {"BASKETWISE_TRAINING__MODELS": text}).training.models == wanted


def test_a_list_of_one() -> None:
    assert load_config(None, {}, ["features.groups=basket"]).features.groups == ("basket",)


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("gate.champion=false", False),
        ('registry.uri="http://host:5000/a=b"', "http://host:5000/a=b"),
        ("registry.uri=http://host:5000/a=b", "http://host:5000/a=b"),
        ("registry.uri=", ""),
        ("training.folds = 3", 3),
        ("business.cost_matrix=[[1,0,0],[0,1,0],[0,0,1]]", [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    ],
)
def test_values_are_toml_or_else_text(flag: str, expected: object) -> None:
    section, _, key = flag.partition("=")[0].strip().partition(".")

    assert getattr(getattr(load_config(None, {}, [flag]), section), key) == expected


def test_one_entry_of_a_table_leaves_the_others(tmp_path: Path) -> None:
    expected = Config().training.xgboost | {"max_depth": 3}
    file = tmp_path / "depth.toml"
    file.write_text("[training.xgboost]\nmax_depth = 3\n")

    for loaded in (
        load_config(None, {}, ["training.xgboost.max_depth=3"]),
        load_config(None, {"BASKETWISE_TRAINING__XGBOOST__MAX_DEPTH": "3"}),
        load_config(str(file), {}),
    ):
        assert loaded.training.xgboost == expected


def test_a_label_is_added_in_its_own_spelling() -> None:
    labels = load_config(None, {}, ["data.labels.Cheap=High"]).data.labels

    assert labels["Cheap"] == "High"
    assert labels["LA"] == "High"


def refused(*flags: str, path: str | None = None, **environment: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(path, environment, flags)
    assert caught.value.exit_code == 2
    return caught.value


def test_an_unknown_key_names_the_section_s_keys() -> None:
    error = refused("split.size=0.3")

    assert error.headline == "split.size is not a setting."
    known = "strategy, test_size, train_weeks, random_state"
    assert error.hint == f"Settings of split: {known}; did you mean test_size?"


def test_an_unknown_section_names_the_sections() -> None:
    error = refused("splitt.test_size=0.3")

    assert error.headline == "splitt is not a setting."
    assert error.hint.startswith("Sections: data, etl, features, ")


def test_an_unknown_variable_is_an_error_too() -> None:
    assert "etl.outlier is not a setting" in refused(BASKETWISE_ETL__OUTLIER="clip").headline


def test_out_of_range_names_key_value_and_range() -> None:
    error = refused("split.test_size=1.5")

    assert error.headline == "split.test_size is 1.5."
    assert error.hint == "split.test_size: input should be less than 1."


def test_a_choice_names_the_choices() -> None:
    error = refused("etl.outliers=clamp")

    assert error.headline == "etl.outliers is 'clamp'."
    assert "'clip', 'drop' or 'keep'" in error.hint


def test_all_problems_are_reported_at_once() -> None:
    error = refused("split.test_size=2", "training.folds=1", "etl.x=1")

    for part in ("split.test_size is 2", "training.folds is 1", "etl.x is not a setting"):
        assert part in error.headline


def test_our_own_checks_speak_too() -> None:
    assert refused("training.models=logistic,logistic").hint == "training.models: name each once."
    assert refused("training.models=[]").hint == "training.models: name at least one."


@pytest.mark.parametrize("flag", ["split", "split.test_size", "=3", "test_size=0.3", "split.=3"])
def test_a_flag_that_names_nothing(flag: str) -> None:
    assert "section.key=value" in refused(flag).hint


def test_a_value_where_a_section_belongs(tmp_path: Path) -> None:
    file = tmp_path / "flat.toml"
    file.write_text("split = 3\n")

    assert refused(path=str(file)).headline == "split is 3."
    assert "does not name a setting" in refused("split.test_size=0.3", path=str(file)).headline
    assert (
        "does not name a setting"
        in refused(
            "split.test_size.deeper=1", path=None, **{"BASKETWISE_SPLIT__TEST_SIZE": "0.3"}
        ).headline
    )


def test_bad_toml_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[split]\ntest_size = \n")

    error = refused(path=str(file))

    assert "bad.toml" in error.headline
    assert "line 2" in error.headline


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes(b'[business]\ncurrency = "\xa3"\n')

    assert "latin.toml" in refused(path=str(file)).headline


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    error = refused(path=str(tmp_path / "none.toml"))

    assert "none.toml" in error.headline
    assert "No such file" in error.headline
    assert "basketwise init" in error.hint


def test_a_byte_order_mark_is_no_part_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(b"\xef\xbb\xbf[gate]\r\nmin_accuracy = 0.5\r\n")
    assert load_config(str(file), {}).gate.min_accuracy == 0.5


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_another_encoding_is_refused_with_the_one_to_save_it_in(
    tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes('[data]\ncurrency = "£"\n'.encode(encoding))
    with pytest.raises(ConfigError, match=r"own\.toml' is not UTF-8 text") as raised:
        load_config(str(file), {})
    assert raised.value.hint == "Save it with the encoding UTF-8."


@pytest.mark.parametrize(
    ("flag", "headline", "hint"),
    [
        (
            "deployment.min_capacity=99",
            "The settings in [deployment] do not fit together.",
            "deployment: min_capacity must not be above max_capacity.",
        ),
        (
            'aws.usd_per_hour={"ml.m5.large"=-1}',
            "aws.usd_per_hour is {'ml.m5.large': -1}; aws.usd_per_hour.ml.m5.large is -1.",
            "aws.usd_per_hour: give a number.\n"
            "aws.usd_per_hour.ml.m5.large: input should be greater than 0.",
        ),
        (
            "split.train_weeks=0",
            "split.train_weeks is 0.",
            "split.train_weeks: choose 'auto' or 'all'.\n"
            "split.train_weeks: input should be greater than or equal to 1.",
        ),
        (
            "data.columns.BASKET_ID=7",
            "data.columns.BASKET_ID is 7.",
            "data.columns.BASKET_ID: give text.\ndata.columns.BASKET_ID: give a list.",
        ),
        (
            "data.week=monday",
            "data.week is 'monday'.",
            "data.week: give text that matches "
            "^(iso|(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))$ (What a week is where it follows "
            "from the date: iso, or the day (MM-DD) on which your fiscal years start).",
        ),
    ],
)
def test_settings_are_named_as_they_are_set(flag: str, headline: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(None, {}, [flag])
    assert (refused.value.headline, refused.value.hint) == (headline, hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("gate = 3", "gate: give a table."),
        ('data.labels = ["a"]', "data.labels: give a table."),
        ('features.tried = "price"', "features.tried: give a list."),
        ("data.date = 2025-01-01", "data.date: give text."),
        ("training.folds = 2.5", "training.folds: give a whole number."),
        ('gate.min_accuracy = "high"', "gate.min_accuracy: give a number."),
        ('aws.spot = "perhaps"', "aws.spot: give true or false."),
        ("index.ridge = inf", "index.ridge: give a finite number."),
        (
            "business.revenue_per_accurate_prediction = nan",
            "business.revenue_per_accurate_prediction: give a finite number.",
        ),
        (
            "business.cost_matrix = [[nan, 0, 0], [0, 1, 0], [0, 0, 1]]",
            "business.cost_matrix: give a finite number.",
        ),
        # Pydantic takes true for 1: a gate that nothing passes, or one basket.
        ("gate.min_accuracy = true", "gate.min_accuracy: give a number."),
        ("gate.min_test_baskets = true", "gate.min_test_baskets: give a number."),
        ("split.train_weeks = true", "split.train_weeks: give a number."),
        ("business.predictions_per_day = true", "business.predictions_per_day: give a number."),
    ],
)
def test_a_value_of_a_wrong_type_is_answered_in_the_words_of_toml(
    tmp_path: Path, text: str, hint: str
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_config(str(file), {})
    assert hint in refused.value.hint.splitlines()
    assert not re.search("dictionary|tuple|integer|instance of|parse", refused.value.hint)
