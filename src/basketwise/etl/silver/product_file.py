"""A product file: one row per product, whose name and hierarchy are used where lines lack them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from basketwise.config import DataConfig
from basketwise.digests import sha256
from basketwise.errors import InputError
from basketwise.etl.lines.product_names import plain_names
from basketwise.etl.lines.stored_types import texts
from basketwise.etl.raw.discovery import list_files
from basketwise.etl.raw.reading import read_raw
from basketwise.etl.raw.sources import Delivery, FileRecord, Source, digests
from basketwise.progress import counted
from basketwise.schema import HIERARCHY, PROD_CODE, PROD_NAME, PRODUCT_COLUMNS, REASON


@dataclass(frozen=True)
class ProductFile:
    """What is known of products apart from their lines.

    Attributes
    ----------
    products
        One row per product, sorted: PROD_CODE, PROD_NAME and the hierarchy (null where unknown).
    record
        The file.
    repeated
        Rows of a product that another row lists already.
    warnings
        What is odd about it, though it can be used.
    """

    products: pl.DataFrame
    record: FileRecord
    repeated: int
    warnings: list[str]


def read_products(path: str, data: DataConfig, missing: tuple[str, ...]) -> ProductFile:
    """Read a product file.

    Parameters
    ----------
    path : str
        A file of any format that raw lines can have.
    data : DataConfig
        Encoding and column names.
    missing : tuple of str
        Words that stand for a missing value, in upper case.

    Raises
    ------
    InputError
        If it cannot be read, lacks the products' codes, or has nothing besides; if a product is
        in two groups of one level of the hierarchy. Of several names, the first in the order of
        their bytes is taken, with a warning.
    """
    source = _source(path)
    tables, lines, reasons = [], 0, dict[str, int]()
    for raw in read_raw(source, data, required=(PROD_CODE,)):
        tables.append(_typed(raw.frame, source.name, missing))
        lines += raw.records
        for reason in raw.malformed[REASON]:
            reasons[reason] = reasons.get(reason, 0) + 1
    rows = pl.concat(tables) if tables else pl.DataFrame(schema=dict.fromkeys(PRODUCT_COLUMNS))
    if all(rows[name].null_count() == rows.height for name in PRODUCT_COLUMNS[1:]):
        raise InputError(
            f"The product file {source.name!r} has neither names nor a hierarchy.",
            f"It needs {PROD_CODE} and one of {', '.join(PRODUCT_COLUMNS[1:])}; data.columns in "
            "the config maps your own names.",
        )
    nameless = rows[PROD_CODE].null_count()
    if nameless:
        reasons["missing_prod_code"] = nameless
    rows = rows.drop_nulls(PROD_CODE)
    _refuse_conflicts(rows, source.name)
    warnings = [f"{source.name}: {counted(n, 'row')} not used: {r}" for r, n in reasons.items()]
    several = rows.group_by(PROD_CODE).agg(pl.col(PROD_NAME).drop_nulls().n_unique() > 1)
    if number := int(several[PROD_NAME].sum()):
        warnings.append(
            f"{source.name}: {counted(number, 'product')} with several names; the first in "
            "alphabetical order is used"
        )
    products = rows.group_by(PROD_CODE).agg(pl.col(PROD_NAME, *HIERARCHY).min()).sort(PROD_CODE)
    record = FileRecord(
        name=source.name, sha256=sha256(source.path), bytes=source.size, lines=lines
    )
    return ProductFile(products, record, rows.height - products.height, warnings)


def with_products(products: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Add PROD_NAME, from the lines' own names, to a survey's products."""
    named = products.join(names.select(PROD_CODE, PROD_NAME), on=PROD_CODE, how="left")
    return named.select(*PRODUCT_COLUMNS, "lines").sort(PROD_CODE)


def completed(table: pl.DataFrame, file: pl.DataFrame) -> pl.DataFrame:
    """Fill in, by PROD_CODE, what a table does not know of its products.

    Parameters
    ----------
    table : DataFrame
        One row per line or product: PROD_CODE; names and hierarchy are filled where they are null.
    file : DataFrame
        From :attr:`ProductFile.products`.

    Returns
    -------
    DataFrame
        The same rows and columns in the same order.
    """
    columns = [name for name in PRODUCT_COLUMNS[1:] if name in table.columns]
    return (
        table.join(
            file.select(PROD_CODE, *columns),
            on=PROD_CODE,
            how="left",
            suffix=" in file",
            maintain_order="left",
        )
        .with_columns(pl.coalesce(name, f"{name} in file") for name in columns)
        .select(table.columns)
    )


def line_files(data: str, products: str) -> Delivery:
    """Find the raw tables of lines; a product file in the same folder is none of them."""
    delivery = list_files(data)
    if not products:
        return delivery
    own = _source(products).path.resolve()
    sources = [source for source in delivery.sources if source.path.resolve() != own]
    if not sources:
        raise InputError(
            f"{data!r} contains the product file only.", "Give the file of lines as --data."
        )
    return replace(delivery, sources=sources)


def input_digests(delivery: Delivery, products: str) -> Mapping[str, str]:
    """Return the digest of everything that clean lines are made from, by name."""
    if not products:
        return digests(delivery)
    source = _source(products)
    return digests(delivery) | {f"product file {source.name}": sha256(source.path)}


def _source(path: str) -> Source:
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(
            f"There is no product file {path!r}.", "Check --products, or data.products."
        )
    sources = list_files(str(file)).sources
    if len(sources) > 1:
        raise InputError(
            f"{path!r} contains {len(sources)} files.", "Give one product file, with all products."
        )
    return sources[0]


def _typed(frame: pl.DataFrame, source: str, missing: tuple[str, ...]) -> pl.DataFrame:
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
    columns = {
        name: texts(frame[name], source, missing) if name in frame.columns else nothing
        for name in PRODUCT_COLUMNS
    }
    columns[PROD_NAME] = plain_names(columns[PROD_NAME])
    return pl.DataFrame(columns)


def _refuse_conflicts(rows: pl.DataFrame, source: str) -> None:
    """Refuse a file that puts a product into two groups: either would be a guess."""
    groups = rows.group_by(PROD_CODE).agg(pl.col(*HIERARCHY).drop_nulls().unique().sort())
    for level in HIERARCHY:
        conflicts = groups.filter(pl.col(level).list.len() > 1).sort(PROD_CODE)
        if conflicts.height:
            code, values = conflicts.select(PROD_CODE, level).row(0)
            raise InputError(
                f"{source!r} has the product {code!r} with {level} {values[0]!r} and "
                f"{values[1]!r} ({counted(conflicts.height, 'product')} like this).",
                "Give each product one group per level, those of today for example.",
            )
