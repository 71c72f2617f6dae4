"""What a product file contains, and how many of the products that were sold it names."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from basketwise.etl.silver.product_coverage import Coverage, coverage
from basketwise.etl.silver.product_file import ProductFile
from basketwise.etl.silver.survey import Survey
from basketwise.schema import PROD_CODE, PRODUCT_COLUMNS


@dataclass(frozen=True)
class ProductFileProfile:
    """A product file beside the accepted lines.

    Attributes
    ----------
    name, rows
        The file, and its rows.
    products
        Different products in it.
    repeated
        Rows of a product that another row lists already.
    columns
        Products with a name, and with a group of each level of the hierarchy; columns without any
        value are left out.
    sold
        Which products of the lines it lists and names.
    """

    name: str
    rows: int
    products: int
    repeated: int
    columns: dict[str, int]
    sold: Coverage


def profile_product_file(file: ProductFile, survey: Survey | None) -> ProductFileProfile:
    """Profile a product file; ``survey`` is that of the accepted lines, None if there are none."""
    none = pl.DataFrame(schema={PROD_CODE: pl.String, "lines": pl.UInt32})
    filled = {name: file.products[name].count() for name in PRODUCT_COLUMNS[1:]}
    return ProductFileProfile(
        name=file.record.name,
        rows=file.record.lines,
        products=file.products.height,
        repeated=file.repeated,
        columns={name: number for name, number in filled.items() if number},
        sold=coverage(survey.products if survey else none, file),
    )
