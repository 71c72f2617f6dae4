from __future__ import annotations

from pathlib import Path

import pytest

from basketwise.model.archive import load_model_archive
from tests.cli.calling import call
from tests.evaluation.running import Evaluated
from tests.raw_lines import line, write_csv


@pytest.fixture
def partly_known(tmp_path: Path, evaluated: Evaluated) -> Path:
    """Two baskets, of which one has a new product and loses a line."""
    encoders = load_model_archive(evaluated.archive).metadata.encoders
    known = load_model_archive(evaluated.archive).products[0]
    seen = line(
        PROD_CODE=known,
        STORE_FORMAT=encoders.store_format[0],
        STORE_REGION=encoders.store_region[0],
        SPEND="2",
    )
    write_csv(
        tmp_path / "lines.csv",
        [
            seen | {"BASKET_ID": "1"},
            seen | {"BASKET_ID": "2"},
            seen | {"BASKET_ID": "2", "PROD_CODE": "NEW", "SPEND": "1"},
            seen | {"BASKET_ID": "2", "PROD_CODE": "NEW", "SPEND": "free"},
        ],
    )
    return tmp_path / "lines.csv"


def test_what_the_model_does_not_know_is_warned_of(
    partly_known: Path, evaluated: Evaluated
) -> None:
    out = partly_known.with_name("o.csv")
    given = ("predict", "--data", partly_known, "--model", evaluated.archive, "--out", out)
    done = call(*given)
    assert done.code == 0, done.err
    warned = [text for text in done.err.splitlines() if text.startswith("warning")]
    assert warned == [
        "warning   33 % of the lines (20 % of spend) have products that the model has never seen",
        "warning   1 basket scored without the lines that were rejected",
    ]
    documented = call(*given, "--json").json
    assert documented["incomplete_baskets"] == 1
    assert documented["unseen"] == {
        "lines": 1,
        "line_share": 1 / 3,
        "spend_share": 0.2,
        "store_baskets": 0,
        "store_share": 0.0,
        "stores": {},
    }


def test_another_form_of_codes_is_refused_and_explained(
    tmp_path: Path, evaluated: Evaluated
) -> None:
    products = load_model_archive(evaluated.archive).products[:10]
    lines = [line(BASKET_ID=str(n), PROD_CODE=f"{code}.0") for n, code in enumerate(products)]
    write_csv(tmp_path / "lines.csv", lines)
    out = tmp_path / "o.csv"
    given = ("predict", "--data", tmp_path, "--model", evaluated.archive, "--out", out)
    done = call(*given)
    assert done.code == 2
    assert not out.exists()
    assert "The model knows no product of the data (10 lines)." in done.err
    assert f"looks like '{products[0]}.0', the model knows '{products[0]}'" in done.err
    assert "the data has '.0' appended" in done.err
    allowed = call(*given, "--allow-unknown")
    assert allowed.code == 0, allowed.err
    assert "warning   100 % of the lines (100 % of spend)" in allowed.err
