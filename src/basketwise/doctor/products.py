"""Whether the products of raw files are those that a model knows, and written alike."""

from __future__ import annotations

import polars as pl

from basketwise.config import Config
from basketwise.doctor.check import Check
from basketwise.errors import BasketwiseError
from basketwise.model.scoring import Model
from basketwise.progress import counted
from basketwise.registry.opening import REGISTRY, on_sagemaker
from basketwise.registry.protocol import CHAMPION
from basketwise.run.workspace import Workspace
from basketwise.schema import PROD_CODE

NAME = "products"

FEW = 0.5
"""Below this share of lines with known products, the data is not what the model was trained on."""


def open_reference(model: str | None, workspace: Workspace, config: Config) -> Model | None:
    """Open the model to compare with: the named one, else the champion if there is one."""
    from basketwise.serving.versions import open_model

    storage = workspace.storage
    if model is not None:
        return open_model(config, storage, model)
    elsewhere = config.registry.uri or on_sagemaker(config.registry, storage.location)
    if not elsewhere and not (storage.scratch / REGISTRY).is_dir():
        return None
    try:
        return open_model(config, storage, CHAMPION)
    except BasketwiseError:
        # No champion, or a registry that fails: that is for its own check to say.
        return None


def compare_products(
    data: str, model: Model, config: Config, sold: pl.DataFrame | None = None
) -> Check:
    """Compare the product codes of the data with the model's.

    Parameters
    ----------
    data : str
        Raw files.
    model : Model
        The model.
    config : Config
        How files are read; what it does not say is as in the model's training.
    sold : DataFrame, optional
        The products of all accepted lines: PROD_CODE, ``lines``. By default the files are read.
    """
    from basketwise.features.code_formats import describe_codes, find_difference

    products = model.products
    if not products:
        return Check(NAME, "ok", "the model does not use products")
    if sold is None:
        sold = _sold(data, model, config)
    if sold.is_empty():
        return Check(NAME, "ok", "no line to compare with the model's products")
    # What is sold most comes first: examples and comparisons take the first ones.
    sold = sold.sort("lines", PROD_CODE, descending=[True, False])
    known = sold[PROD_CODE].is_in(pl.Series(products).implode())
    share = int(sold.filter(known)["lines"].sum()) / int(sold["lines"].sum())
    unknown = sold.filter(~known)[PROD_CODE].to_list()
    text = (
        f"the model knows {sold.height - len(unknown):,} of {counted(sold.height, 'product')} "
        f"({100 * share:.0f} % of the lines)"
    )
    difference = find_difference(unknown, products) if unknown else None
    if difference is None and share >= FEW:
        return Check(NAME, "ok", text)
    return Check(
        NAME,
        "warning",
        f"{text}. {describe_codes(unknown, products)}",
        "To score this data, write the codes as in the training data. A new model needs nothing.",
    )


def _sold(data: str, model: Model, config: Config) -> pl.DataFrame:
    """Read all files as the model would, and count the lines of each product."""
    from basketwise.etl.lines.cleaning import clean
    from basketwise.etl.lines.layout import settle_sources, whole
    from basketwise.etl.silver.product_file import line_files
    from basketwise.serving.batch import scoring_settings

    sources = line_files(data, config.data.products).sources
    settings, rules = scoring_settings(model, config)
    rules = settle_sources(sources, rules, settings)
    sold = pl.DataFrame(schema={PROD_CODE: pl.String, "lines": pl.UInt32})
    for raw in whole(sources, settings, labelled=False):
        lines = clean(raw.frame, rules, source="the data", rows=raw.rows).lines
        more = lines.group_by(PROD_CODE).agg(pl.len().alias("lines"))
        sold = pl.concat([sold, more]).group_by(PROD_CODE).agg(pl.col("lines").sum())
    return sold
