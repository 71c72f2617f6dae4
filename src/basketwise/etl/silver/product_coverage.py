"""How many of the products of some lines a product file lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from basketwise.errors import InputError
from basketwise.etl.lines.product_names import plain_names
from basketwise.etl.silver.product_file import ProductFile
from basketwise.progress import counted
from basketwise.schema import PROD_CODE, PROD_NAME

SHOWN = 3
"""Products that are named in a message."""


@dataclass(frozen=True)
class Coverage:
    """Products of some lines, and those that a product file does not list.

    Attributes
    ----------
    file
        Its name.
    products, lines
        Different products of the lines, and their number.
    unlisted_products, unlisted_lines
        Those that are not in the file.
    named_products
        Those with a name in the file.
    examples
        The first unlisted codes.
    listed_example
        A code of the file; empty if it has none.
    """

    file: str
    products: int
    lines: int
    unlisted_products: int
    unlisted_lines: int
    named_products: int
    examples: tuple[str, ...]
    listed_example: str

    @property
    def unlisted_share(self) -> float:
        """Share of the lines with a product that is not in the file."""
        return self.unlisted_lines / self.lines if self.lines else 0.0

    @property
    def is_nothing(self) -> bool:
        """Whether there are products, and none of them is in the file."""
        return 0 < self.products == self.unlisted_products

    @property
    def text(self) -> str:
        """Say which products are not listed; empty if all are."""
        if not self.unlisted_products:
            return ""
        if self.is_nothing:
            own = repr(self.listed_example) if self.listed_example else "nothing"
            return (
                f"none of the {counted(self.products, 'product')} in the lines is in "
                f"{self.file!r}: {self.examples[0]!r} in the lines, {own} there"
            )
        codes = plain_names(pl.Series(self.examples, dtype=pl.String)).fill_null("?")
        shown = ", ".join(codes) + (", …" if self.unlisted_products > len(codes) else "")
        return (
            f"{self.unlisted_products:,} of {counted(self.products, 'product')} "
            f"({self.unlisted_share:.1%} of the lines) not in {self.file}: {shown}"
        )

    def document(self) -> dict[str, Any]:
        """Return the counts, as JSON documents contain them."""
        return {
            "name": self.file,
            "products": self.products,
            "unlisted_products": self.unlisted_products,
            "unlisted_lines": self.unlisted_lines,
            "unlisted_share": self.unlisted_share,
        }


def coverage(products: pl.DataFrame, file: ProductFile) -> Coverage:
    """Compare products with those of a file.

    Parameters
    ----------
    products : DataFrame
        One row per product of the lines: PROD_CODE, ``lines``.
    file : ProductFile
        The file.
    """
    absent = products.join(file.products, on=PROD_CODE, how="anti").sort(PROD_CODE)
    named = products.join(file.products.drop_nulls(PROD_NAME), on=PROD_CODE, how="semi")
    own = file.products[PROD_CODE]
    return Coverage(
        file=file.record.name,
        products=products.height,
        lines=int(products["lines"].sum()),
        unlisted_products=absent.height,
        unlisted_lines=int(absent["lines"].sum()),
        named_products=named.height,
        examples=tuple(absent[PROD_CODE].head(SHOWN)),
        listed_example=own[0] if len(own) else "",
    )


def refuse_other_codes(covered: Coverage) -> None:
    """Refuse a file that lists none of the products: then the codes are not the same."""
    if covered.is_nothing:
        raise InputError(
            f"{covered.text[0].upper()}{covered.text[1:]}.",
            "Write the codes in the same way in both, or leave the product file out.",
        )
