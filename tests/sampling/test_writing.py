import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier

from basketwise import concurrency
from basketwise.errors import InputError, WorkspaceError
from basketwise.sampling import draw_lines, generate
from basketwise.sampling.weeks import COLUMNS


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_writes_one_file_a_week_and_says_what_it_wrote(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    summary = generate(
        tmp_path / "new" / "raw",
        baskets=2_000,
        seed=1,
        weeks=50,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [path.name for path in summary.files[44:48]] == [
        "transactions_200651.csv.gz",
        "transactions_200652.csv.gz",
        "transactions_200701.csv.gz",
        "transactions_200702.csv.gz",
    ]
    assert sorted(summary.files) == sorted((tmp_path / "new" / "raw").iterdir())
    assert seen == [(week, 50) for week in range(1, 51)]
    lines = pl.concat(pl.read_csv(path) for path in summary.files)
    assert tuple(lines.columns) == COLUMNS
    assert lines.height == summary.lines
    assert lines["BASKET_ID"].n_unique() == summary.baskets == sum(summary.labels.values())
    assert (summary.first_week, summary.last_week) == (200607, 200704)
    assert summary.size_bytes == sum(path.stat().st_size for path in summary.files)
    for path in summary.files:
        week = int(path.name.removeprefix("transactions_").removesuffix(".csv.gz"))
        assert pl.read_csv(path)["SHOP_WEEK"].unique().to_list() == [week]


def test_the_lines_in_memory_are_those_of_the_files(tmp_path: Path) -> None:
    files = generate(tmp_path, baskets=300, seed=1, weeks=3, products=40, noise=0.1).files
    lines = draw_lines(baskets=300, seed=1, weeks=3, products=40, noise=0.1)
    written = pl.concat(pl.read_csv(path, schema=lines.schema) for path in files)
    text = pl.col(pl.String).fill_null("")
    assert_frame_equal(lines.with_columns(text), written.with_columns(text), check_exact=True)


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate(tmp_path / name, baskets=300, seed=seed, weeks=3)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert content(tmp_path / "a") != content(tmp_path / "c")


def test_uncompressed_files_contain_the_same(tmp_path: Path) -> None:
    packed = generate(tmp_path / "a", baskets=300, seed=1, weeks=2)
    plain = generate(tmp_path / "b", baskets=300, seed=1, weeks=2, compress=False)
    for packed_file, other in zip(packed.files, plain.files, strict=True):
        assert other.suffix == ".csv"
        assert gzip.decompress(packed_file.read_bytes()) == other.read_bytes()


def test_no_card_is_an_empty_field_and_spend_has_two_decimals(tmp_path: Path) -> None:
    file = generate(tmp_path, baskets=300, seed=1, weeks=1, compress=False).files[0]
    rows = [line.split(",") for line in file.read_text().splitlines()[1:]]
    cards = {row[COLUMNS.index("CUST_CODE")] for row in rows}
    assert "" in cards
    assert all(card == "" or len(card) == 14 for card in cards)
    assert {len(row[COLUMNS.index("SPEND")].split(".")[1]) for row in rows} == {2}


def test_refuses_a_folder_with_transactions(tmp_path: Path) -> None:
    generate(tmp_path, baskets=60, seed=1, weeks=2)
    before = content(tmp_path)
    with pytest.raises(InputError, match=r"contains transactions_200607\.csv\.gz and 1 more"):
        generate(tmp_path, baskets=60, seed=2, weeks=2)
    assert content(tmp_path) == before


def test_overwrites_on_demand_but_never_mixes_weeks(tmp_path: Path) -> None:
    generate(tmp_path, baskets=60, seed=1, weeks=3)
    before = content(tmp_path)
    for weeks, compress in ((2, True), (3, False)):
        with pytest.raises(InputError, match="not one of the files to be written"):
            generate(tmp_path, baskets=60, seed=2, weeks=weeks, compress=compress, overwrite=True)
    assert content(tmp_path) == before
    generate(tmp_path, baskets=60, seed=2, weeks=3, overwrite=True)
    after = content(tmp_path)
    assert after.keys() == before.keys()
    assert after != before


def test_other_files_in_the_folder_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    generate(tmp_path, baskets=60, seed=1, weeks=1)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"baskets": 0}, "baskets = 0"),
        ({"baskets": -5}, "baskets = -5"),
        ({"baskets": 3, "weeks": 4}, "3 baskets are too few for 4 weeks"),
        ({"weeks": 0}, "weeks = 0"),
        ({"weeks": 521}, "weeks = 521"),
        ({"products": 19}, "products = 19"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 2**32}, "seed = 4294967296"),
    ],
)
def test_refuses_numbers_out_of_range(tmp_path: Path, change: dict[str, int], message: str) -> None:
    arguments = {"baskets": 1_000, "seed": 1, "weeks": 2} | change
    with pytest.raises(InputError, match=message):
        generate(tmp_path / "new", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("noise", [-0.1, 0.6, float("nan")])
def test_refuses_noise_out_of_range(tmp_path: Path, noise: float) -> None:
    with pytest.raises(InputError, match="noise"):
        generate(tmp_path, baskets=100, seed=1, noise=noise)


def test_refuses_a_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("")
    with pytest.raises(InputError, match="is a file"):
        generate(tmp_path / "raw", baskets=100, seed=1)


def test_a_full_disk_leaves_whole_files_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    write_csv = pl.DataFrame.write_csv

    def fill_up(lines: pl.DataFrame, target: Path, **options: object) -> None:
        if len(written) == 1:
            write_csv(lines.head(3), target)
            raise OSError(28, "No space left on device")
        write_csv(lines, target)
        written.append(target)

    monkeypatch.setattr(pl.DataFrame, "write_csv", fill_up)
    monkeypatch.setattr(concurrency, "cores", lambda: 1)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        generate(tmp_path, baskets=60, seed=1, weeks=3)
    assert [path.name for path in tmp_path.iterdir()] == ["transactions_200607.csv.gz"]


def test_what_products_say_can_be_learned(tmp_path: Path) -> None:
    """A plain ridge of the labels on product shares, then a forest on what it says."""
    summary = generate(tmp_path, baskets=20_000, seed=42)
    lines = pl.concat(pl.read_csv(path) for path in summary.files)
    ids, basket = np.unique(lines["BASKET_ID"].to_numpy(), return_inverse=True)
    names, product = np.unique(lines["PROD_CODE"].to_numpy(), return_inverse=True)
    label = np.empty(len(ids), dtype=np.int64)
    label[basket] = lines["BASKET_PRICE_SENSITIVITY"].rank("dense").to_numpy() - 1
    bought = sparse.csr_matrix((np.ones(len(basket)), (basket, product)))
    size = np.asarray(bought.sum(axis=1)).ravel()
    share = sparse.diags_array(1 / size) @ bought

    def encode(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
        one_hot = np.eye(4)[scores.argmax(axis=1)]
        return np.hstack([share[rows] @ scores, bought[rows] @ one_hot, share[rows] @ one_hot])

    def learn(rows: np.ndarray) -> np.ndarray:
        x, y = share[rows], np.eye(4)[label[rows]]
        return np.linalg.solve((x.T @ x).toarray() + np.eye(len(names)), x.T @ y)

    half, rest, test = np.split(np.arange(len(ids)), [8_000, 16_000])
    forest = RandomForestClassifier(50, min_samples_leaf=5, random_state=0)
    forest.fit(
        np.vstack([encode(learn(rest), half), encode(learn(half), rest)]),
        label[:16_000],
    )
    hits = forest.predict(encode(learn(np.arange(16_000)), test)) == label[test]
    assert hits.mean() > 0.95
