"""The profile of raw data on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import click

from basketwise.cli.output import filled
from basketwise.doctor.baskets import RARE, Baskets, Spread, shares
from basketwise.doctor.columns import ColumnProfile
from basketwise.doctor.product_file import ProductFileProfile
from basketwise.doctor.profile import Profile
from basketwise.doctor.wording import (
    amount,
    duplicates_text,
    gap_text,
    share_text,
)
from basketwise.progress import counted
from basketwise.terminal import replaced

_SHOWN = 10
"""Reasons, gaps and names that are listed."""

_LONGEST = 24
"""Characters of an example that are shown."""


def print_profile(profile: Profile) -> None:
    """Print the profile: what the data make up, then its columns."""
    for name, text in (*_facts(profile), *_columns_left_out(profile)):
        click.echo(filled(text, f"{name:<12}", " " * 12))
    click.echo()
    for column in profile.columns:
        for line in _column(column):
            click.echo(line)


def _facts(profile: Profile) -> Iterator[tuple[str, str]]:
    yield "", ""
    refused = profile.records - profile.accepted
    yield (
        "Records",
        f"{profile.records:,} in {counted(len(profile.files), 'file')} = {profile.accepted:,} "
        f"accepted + {refused:,} rejected",
    )
    for reason, number in list(profile.rejected.items())[:_SHOWN]:
        yield "", f"{number:,} {reason}"
    if profile.baskets:
        yield from _made_up(profile, profile.baskets)
    if profile.product_file:
        yield from _product_file(profile.product_file)
    yield "Duplicates", duplicates_text(profile.duplicates)
    for name, text in (("Dates", profile.date_format), ("Decimal", profile.decimal)):
        if text:
            yield name, text
    for warning in profile.warnings:
        yield "Warning", warning


def _made_up(profile: Profile, baskets: Baskets) -> Iterator[tuple[str, str]]:
    """Say what the accepted lines make up."""
    if baskets.weeks:
        first, last = baskets.weeks[0].week, baskets.weeks[-1].week
        yield (
            "Weeks",
            f"{len(baskets.weeks):,}: {first} to {last}, "
            + (f"{counted(len(baskets.gaps), 'gap')}" if baskets.gaps else "no gaps"),
        )
        for gap in baskets.gaps[:_SHOWN]:
            yield "", f"missing: {gap_text(gap)}"
        if len(baskets.gaps) > _SHOWN:
            yield "", f"and {len(baskets.gaps) - _SHOWN} more"
    else:
        yield "Weeks", "none: there is no column of weeks or dates"
    yield "Baskets", f"{baskets.baskets:,}"
    yield "", f"lines per basket: {_spread(baskets.lines_per_basket)}"
    yield "", f"products per basket: {_spread(baskets.products_per_basket)}"
    if profile.labelled:
        parts = shares(baskets.classes)
        yield (
            "Classes",
            ", ".join(
                f"{name} {number:,} ({share_text(parts[name])})"
                for name, number in baskets.classes.items()
            ),
        )
    else:
        yield "Classes", "none: there is no column of labels, so training is not possible"
    tail = baskets.tail
    yield (
        "Products",
        f"{baskets.products:,}; {tail.products:,} ({share_text(tail.products_share)}) are in fewer "
        f"than {RARE} baskets, with {share_text(tail.lines_share)} of the lines",
    )
    customers = baskets.customers
    yield (
        "Customers",
        f"{customers.distinct:,}; {share_text(customers.baskets_share)} of the baskets and "
        f"{share_text(customers.lines_share)} of the lines have a customer code",
    )


def _product_file(file: ProductFileProfile) -> Iterator[tuple[str, str]]:
    repeated = f", {counted(file.repeated, 'row')} repeat another" if file.repeated else ""
    yield (
        "Listed in",
        f"{file.name}: {counted(file.rows, 'row')}, {counted(file.products, 'product')}{repeated}",
    )
    yield "", ", ".join(f"{name} of {counted(n, 'product')}" for name, n in file.columns.items())
    if file.sold.products:
        sold, named = file.sold.products, file.sold.named_products
        listed = 1 - file.sold.unlisted_share
        yield (
            "",
            f"names {named:,} of {counted(sold, 'product')} sold ({share_text(named / sold)}); "
            f"lists those of {share_text(listed)} of the lines",
        )


def _columns_left_out(profile: Profile) -> Iterator[tuple[str, str]]:
    for name, columns in (("Absent", profile.absent), ("Ignored", profile.ignored)):
        if columns:
            more = f" and {len(columns) - 30} more" if len(columns) > 30 else ""
            yield name, ", ".join(columns[:30]) + more


def _spread(spread: Spread) -> str:
    return f"median {spread.median:,}, 90% have at most {spread.p90:,}, maximum {spread.maximum:,}"


def _column(column: ColumnProfile) -> Iterator[str]:
    own = ", ".join(column.own)
    origin = "from " if column.derived else ""
    name = column.name if own == column.name else f"{column.name} ({origin}{own})"
    stored = "" if set(column.stored) <= {"text"} else f", stored as {', '.join(column.stored)}"
    yield filled(f"{column.type}{stored}", f"{name}: ", "    ")
    about = "" if column.distinct_exact else "about "
    missing = f"{column.missing:,} missing ({share_text(column.missing_share)})"
    facts = [
        missing if column.missing else "none missing",
        f"{about}{column.distinct:,} distinct",
    ]
    if column.minimum is not None and column.maximum is not None:
        unit = f" ({column.unit})" if column.unit else ""
        facts.append(f"{amount(column, column.minimum)} to {amount(column, column.maximum)}{unit}")
    yield filled("; ".join(facts), "    ", "    ")
    if column.examples:
        yield filled(
            ", ".join(replaced(value, _LONGEST) for value in column.examples), "    e.g. ", "    "
        )
