"""Raw till lines for tests: builders, and strategies for deliveries with all their oddities."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

Line = dict[str, str]
"""One raw line as it stands in a CSV: column to text, empty where nothing is given."""

LABEL = "BASKET_PRICE_SENSITIVITY"

LABEL_SPELLINGS: Mapping[str, Sequence[str]] = {
    "High": ("LA", "la", " LA ", "High"),
    "Medium": ("MM", "Mm", "MEDIUM"),
    "Low": ("UM", "um ", "low"),
    "Unclassified": ("XX", "xx"),
}


def line(**changes: str) -> Line:
    """One good line; changes by column name."""
    values = {
        "SHOP_WEEK": "200607",
        "SHOP_DATE": "20060410",
        "SHOP_WEEKDAY": "2",
        "SHOP_HOUR": "14",
        "QUANTITY": "1",
        "SPEND": "1.50",
        "PROD_CODE": "PRD1",
        "PROD_CODE_10": "CL1",
        "PROD_CODE_20": "DEP1",
        "PROD_CODE_30": "G1",
        "PROD_CODE_40": "D1",
        "CUST_CODE": "CUST1",
        "BASKET_ID": "994100100000001",
        LABEL: "MM",
        "STORE_CODE": "STORE1",
        "STORE_FORMAT": "LS",
        "STORE_REGION": "E02",
    }
    unknown = changes.keys() - values.keys()
    assert not unknown, unknown
    return values | changes


def csv_text(lines: Iterable[Line], *, separator: str = ",", newline: str = "\n") -> str:
    """Write lines as CSV text; the first one's columns make the header."""
    rows = list(lines)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=separator, lineterminator=newline)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write_csv(path: Path, lines: Iterable[Line], *, separator: str = ",") -> Path:
    """Write lines as a CSV file, its folder made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(csv_text(lines, separator=separator), encoding="utf-8", newline="")
    return path


@dataclass(frozen=True)
class Delivery:
    """Some files, each a list of lines; a basket's lines may lie anywhere in them."""

    files: tuple[tuple[Line, ...], ...]

    def write(self, folder: Path) -> list[Path]:
        """Write the files, in the order of their names."""
        return [
            write_csv(folder / f"transactions_{number}.csv", lines)
            for number, lines in enumerate(self.files)
        ]


_INTEGER_IDS = st.integers(1, 999_999_999_999_999).map(str)
_TEXT_IDS = st.text("0123456789AB-", min_size=1, max_size=6).filter(
    # What looks like a float or like spreadsheet damage is refused with its whole file.
    lambda text: text.strip() != ""
)
_PENCE = st.integers(-500, 5_000).map(lambda pence: f"{pence / 100:.2f}")
_SPENDS = st.one_of(_PENCE, _PENCE, _PENCE, st.sampled_from(["1e1", " 2.50 ", "3", "0.0"]))
_BAD_SPENDS = st.sampled_from(["", " ", "free", "nan", "inf", "-inf"])
_QUANTITIES = st.sampled_from(["1", "1", "1", "2", "12", "2.0", " 3 ", "4e0"])
_BAD_QUANTITIES = st.sampled_from(["", "0", "-1", "1.5", "two", "nan"])
_PRODUCTS = st.sampled_from([f"PRD{number}" for number in range(1, 7)])


@st.composite
def deliveries(draw: st.DrawFn, *, integer_ids: bool) -> Delivery:
    """Draw some baskets with good and bad lines, and cut them into files.

    What a basket has once (week, weekday, hour, shop) is the same in all of its lines, as a till
    writes it. Lines may be there twice, labels may be unknown, missing or contradict each other.
    """
    ids = draw(
        st.lists(_INTEGER_IDS if integer_ids else _TEXT_IDS, min_size=1, max_size=8, unique=True)
    )
    lines: list[Line] = []
    for basket_id in ids:
        lines += draw(_baskets(basket_id))
    lines += draw(st.lists(st.sampled_from(lines), max_size=3))
    lines += draw(st.lists(st.sampled_from(lines).map(_without_id), max_size=1))
    shuffled = draw(st.permutations(lines))
    cuts = sorted(draw(st.lists(st.integers(1, len(lines)), max_size=2)))
    pieces = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    return Delivery(tuple(tuple(piece) for piece in pieces if piece))


def _without_id(given: Line) -> Line:
    return given | {"BASKET_ID": " "}


@st.composite
def _baskets(draw: st.DrawFn, basket_id: str) -> list[Line]:
    meaning = draw(st.sampled_from(list(LABEL_SPELLINGS)))
    shared = {
        "BASKET_ID": basket_id,
        "SHOP_WEEK": draw(st.sampled_from(["200607", "200608", "200652"])),
        "SHOP_WEEKDAY": draw(st.sampled_from(["", "1", "7"])),
        "SHOP_HOUR": draw(st.sampled_from(["", "8", "21"])),
        "STORE_FORMAT": draw(st.sampled_from(["", "LS", "MS", "XLS"])),
        "STORE_REGION": draw(st.sampled_from(["", "E01", "W02"])),
    }
    spellings = [*LABEL_SPELLINGS[meaning], *LABEL_SPELLINGS[meaning]]
    bad_label = draw(st.sampled_from(["", "", "", "ZZ", " ", "LA"]))
    lines = []
    for _ in range(draw(st.integers(1, 6))):
        bad = draw(st.sampled_from(["", "", "", "", "", "SPEND", "QUANTITY", "PROD_CODE", LABEL]))
        lines.append(
            line(
                **shared,
                **{
                    "PROD_CODE": draw(_PRODUCTS) if bad != "PROD_CODE" else " ",
                    "SPEND": draw(_SPENDS if bad != "SPEND" else _BAD_SPENDS),
                    "QUANTITY": draw(_QUANTITIES if bad != "QUANTITY" else _BAD_QUANTITIES),
                    LABEL: draw(st.sampled_from(spellings)) if bad != LABEL else bad_label,
                },
            )
        )
    return lines
