"""Silver that is made on Spark is the local engine's: lines, refused lines, counts and survey."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from basketwise.config import Config
from basketwise.engines.spark import counting, settling, silver, tables
from basketwise.engines.spark.exchange import Folder
from basketwise.engines.spark.platform import SparkPlatform
from basketwise.errors import DependencyError, InputError
from basketwise.etl.raw.sources import Source
from basketwise.etl.silver.chunks import weeks
from basketwise.platforms.protocol import EtlJob
from tests.engines.spark.conftest import Spark
from tests.engines.spark.running import (
    assert_same_silver,
    changed_gold,
    etl_here,
    etl_of_frame,
    etl_there,
    lines_of,
    rejected_of,
    small_parts,
)
from tests.etl.running import Run, folders, quiet

FEW = Config.model_validate({"training": {"folds": 2}, "features": {"tried": []}})
NET = Config.model_validate(FEW.model_dump() | {"etl": {"returns": "net"}})
CUT = 200
"""Lines of a week that is cut; the weeks below have some 350 each."""


@pytest.fixture(scope="module")
def labelled(damaged_lines: pl.DataFrame) -> pl.DataFrame:
    """Lines of every kind, baskets with two labels, products with names in two spellings."""
    number = pl.int_range(pl.len())
    label = pl.when(number % 113 == 1).then(pl.lit("XX")).otherwise("BASKET_PRICE_SENSITIVITY")
    name = pl.when(number % 3 == 0).then(pl.lit("milk ")).otherwise(pl.lit("Milk"))
    return damaged_lines.with_columns(
        label.alias("BASKET_PRICE_SENSITIVITY"),
        (name + pl.col("PROD_CODE")).alias("PROD_NAME"),
        pl.when(number % 107 == 1).then(pl.lit("-2")).otherwise("QUANTITY").alias("QUANTITY"),
    )


@pytest.fixture(scope="module")
def delivery(labelled: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Baskets over several files of five formats, some lines in two, some no records."""
    folder = tmp_path_factory.mktemp("delivery")
    cuts = [labelled[n::5] for n in range(5)]
    for name in ("part=1", "part=2"):
        (folder / name).mkdir()
    pl.concat([cuts[0], cuts[1].head(30)]).write_csv(folder / "part=1/a.csv", separator=";")
    with (folder / "part=1/a.csv").open("a") as stream:
        stream.write('one;two\n"never closed;1\n')
    (folder / "part=1/b.csv.gz").write_bytes(gzip.compress(cuts[1].write_csv().encode()))
    cuts[2].write_parquet(folder / "part=2/c.parquet")
    text = "\n".join(json.dumps(row) for row in cuts[3].to_dicts())
    (folder / "part=2/d.jsonl").write_text(text, "utf-8")
    with zipfile.ZipFile(folder / "part=2/e.zip", "w") as archive:
        for number in range(2):
            archive.writestr(f"{number}.csv", cuts[4][number::2].write_csv())
    (folder / "part=2/empty.csv").write_text(",".join(labelled.columns) + "\n")
    (folder / "part=2/readme.txt").write_text("Not data.")
    (folder / "part=2/f.xlsx").write_text("Not read.")
    return folder


@pytest.fixture(scope="module")
def here(delivery: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return etl_here(delivery, tmp_path_factory.mktemp("here"), FEW)


def test_files_give_the_silver_and_gold_of_one_machine(
    spark: Spark, delivery: Path, here: Run, tmp_path: Path
) -> None:
    there = etl_there(spark.session, str(delivery), tmp_path, FEW)
    assert_same_silver(there, here)
    assert changed_gold(there, here) == []
    reasons = set(rejected_of(there.silver)["reason"])
    assert reasons > {"duplicate_line", "basket_in_two_weeks", "basket_labels_disagree"}
    assert reasons > {"spend_not_a_number", "quantity_not_positive", "missing_basket_id"}
    assert there.metadata.skipped == here.metadata.skipped != []
    assert any("no lines" in warning for warning in there.metadata.warnings)


def test_a_week_with_half_of_the_lines_is_cut_and_changes_nothing(
    spark: Spark, labelled: pl.DataFrame, tmp_path: Path
) -> None:
    skewed = pl.when(pl.col("BASKET_ID").hash() % 2 == 0).then(pl.lit("200608"))
    lines = labelled.with_columns(skewed.otherwise("SHOP_WEEK").alias("SHOP_WEEK"))
    (tmp_path / "raw").mkdir()
    lines.write_parquet(tmp_path / "raw/table.parquet")
    with small_parts(CUT):
        here = etl_here(tmp_path / "raw", tmp_path / "here", FEW)
        there = etl_of_frame(spark.frame(lines, 3), tmp_path / "there", FEW)
    sizes = [pl.read_parquet(path).height for week, path in weeks(there.silver) if week == 200608]
    assert sum(sizes) > lines_of(there.silver).height / 2
    assert len(sizes) > 2
    if spark.name == "sail":
        # Tasks in processes of their own name fewer marks: this module is not patched there.
        assert max(sizes) < CUT
        assert len(sizes) > 10
    assert_same_silver(there, here, of_frame=True)
    assert changed_gold(there, here) == []


@pytest.fixture(scope="module")
def netted_here(labelled: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("netted")
    (folder / "raw").mkdir()
    labelled.write_parquet(folder / "raw/table.parquet")
    return etl_here(folder / "raw", folder / "here", NET)


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_a_frame_gives_the_same_in_any_partitions(
    sail: Spark, labelled: pl.DataFrame, netted_here: Run, tmp_path: Path, partitions: int
) -> None:
    there = etl_of_frame(sail.frame(labelled, partitions), tmp_path, NET)
    assert_same_silver(there, netted_here, of_frame=True)
    assert changed_gold(there, netted_here) == []


def test_files_that_this_machine_has_not(
    sail: Spark, delivery: Path, here: Run, tmp_path: Path
) -> None:
    there = etl_there(sail.session, f"file://{delivery}", tmp_path, FEW)
    # What is no data is known of a folder of this machine only.
    assert there.metadata.files == here.metadata.files
    assert there.metadata.lines == here.metadata.lines
    assert changed_gold(there, here) == []


@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_each_file_is_read_with_its_own_decimal_mark(
    sail: Spark, labelled: pl.DataFrame, tmp_path: Path, address: str
) -> None:
    weight = pl.when(pl.int_range(pl.len()) % 7 == 0).then(pl.lit("1,234"))
    commas = labelled.with_columns(weight.otherwise("QUANTITY").alias("QUANTITY"))
    points = pl.col("SPEND", "QUANTITY").str.replace(",", ".", literal=True)
    raw = tmp_path / "raw"
    raw.mkdir()
    commas[::2].write_csv(raw / "a.csv", separator=";")
    commas[1::2].with_columns(points).write_csv(raw / "b.csv")
    here = etl_here(raw, tmp_path / "here", FEW)
    there = etl_there(sail.session, address.format(raw), tmp_path / "there", FEW)
    assert_same_silver(there, here)
    assert changed_gold(there, here) == []
    assert (lines_of(there.silver)["QUANTITY"] == 1.234).sum() > 100
    assert "quantity_not_a_number" not in set(rejected_of(there.silver)["reason"])


def test_codes_that_are_fractions_somewhere_are_text_everywhere(
    sail: Spark, labelled: pl.DataFrame, tmp_path: Path
) -> None:
    number = pl.int_range(pl.len())
    code = pl.when(number == 5).then(7.5).otherwise((number % 50).cast(pl.Float64))
    lines = labelled.with_columns(code.alias("PROD_CODE"))
    (tmp_path / "raw").mkdir()
    lines.write_parquet(tmp_path / "raw/table.parquet")
    here = etl_here(tmp_path / "raw", tmp_path / "here", FEW)
    there = etl_of_frame(sail.frame(lines, 2), tmp_path / "there", FEW)
    assert_same_silver(there, here, of_frame=True)
    assert lines_of(there.silver)["PROD_CODE"].str.contains(".", literal=True).any()


def test_a_product_file_completes_what_spark_read(
    sail: Spark, delivery: Path, labelled: pl.DataFrame, tmp_path: Path
) -> None:
    codes = labelled["PROD_CODE"].unique().sort()
    file = tmp_path / "products.csv"
    pl.DataFrame({"PROD_CODE": codes, "PROD_CODE_40": "D" + codes.str.slice(-1)}).write_csv(file)
    config = Config.model_validate(FEW.model_dump() | {"data": {"products": str(file)}})
    here = etl_here(delivery, tmp_path / "here", config)
    there = etl_there(sail.session, str(delivery), tmp_path / "there", config)
    assert_same_silver(there, here)
    assert there.metadata.product_file == here.metadata.product_file is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("BASKET_ID,PROD_CODE,SPEND,QUANTITY,BASKET_PRICE_SENSITIVITY,SHOP_WEEK\n", "no lines in"),
        (
            "BASKET_ID,PROD_CODE,SPEND,QUANTITY,BASKET_PRICE_SENSITIVITY,SHOP_WEEK\n"
            "1,A,x,1,LA,200607\n2,A,x,1,LA,200608\n",
            "None of the 2 lines can be used: 2 spend_not_a_number",
        ),
        (
            "BASKET_ID,PROD_CODE,SPEND,QUANTITY,BASKET_PRICE_SENSITIVITY,SHOP_WEEK\n"
            "1,A,1,1,LA,200607\n1,A,1,1,LA,200608\n",
            "None of the 2 lines can be used: 2 basket_in_two_weeks",
        ),
        ("BASKET_ID,PROD_CODE\n1,A\n", "lacks the required columns SPEND, QUANTITY"),
    ],
)
def test_what_cannot_be_used_is_refused_as_here(
    sail: Spark, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.csv").write_text(text)
    with pytest.raises(InputError, match=message) as expected:
        etl_here(tmp_path / "raw", tmp_path / "here", FEW)
    with pytest.raises(InputError, match=message) as caught:
        etl_there(sail.session, str(tmp_path / "raw"), tmp_path / "there", FEW)
    assert str(caught.value) == str(expected.value)


def test_files_of_one_name_are_told_apart(
    sail: Spark, labelled: pl.DataFrame, tmp_path: Path
) -> None:
    for number in range(2):
        (tmp_path / f"raw/{number}").mkdir(parents=True)
        labelled[number::2].write_csv(tmp_path / f"raw/{number}/till.csv")
    here = etl_here(tmp_path / "raw/*/till.csv", tmp_path / "here", FEW)
    there = etl_there(sail.session, f"file://{tmp_path}/raw/*/till.csv", tmp_path / "there", FEW)
    assert [file.name for file in there.metadata.files] == ["0/till.csv", "1/till.csv"]
    assert_same_silver(there, here)


def test_a_folder_that_executors_do_not_reach(sail: Spark, sample: Path, tmp_path: Path) -> None:
    opened = SparkPlatform(sail.session)._opened(str(sample), FEW)
    facts = counting.facts_of(opened, Folder(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="does not reach the workspace"):
        counting.count(opened, facts)


def test_files_that_executors_do_not_reach(sail: Spark, tmp_path: Path) -> None:
    gone = Source("a.csv", tmp_path / "a.csv", None, 1)
    with pytest.raises(InputError, match=r"An executor does not reach '.*a\.csv'"):
        tables.file_digests(sail.session, [gone])


def test_data_that_changes_between_two_passes_is_not_used(
    sail: Spark, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = counting.count

    def one_more(*arguments: Any) -> counting.Counted:
        result = counted(*arguments)
        result.lines += 1
        return result

    monkeypatch.setattr(silver, "count", one_more)
    with pytest.raises(InputError, match="19,364 lines were read at first, and 19,363 when"):
        etl_there(sail.session, str(sample), tmp_path, FEW)


def test_parts_of_groups_are_not_taken_for_groups() -> None:
    told = [{"group": 0}, {"group": 1}]
    settling._refuse_cut_groups(told)
    with pytest.raises(DependencyError, match="cuts groups of lines"):
        settling._refuse_cut_groups([*told, {"group": 1}])


def test_a_file_that_is_not_what_it_was_when_the_run_began(
    sail: Spark, sample: Path, tmp_path: Path
) -> None:
    silver_folder, gold, scratch = folders(tmp_path)
    platform = SparkPlatform(sail.session)
    inputs = dict.fromkeys(platform.inputs(str(sample), FEW), "another digest")
    job = EtlJob(str(sample), silver_folder, gold, scratch, inputs=inputs)
    with pytest.raises(InputError, match="was changed while it was read"):
        platform.etl(job, FEW, quiet)
