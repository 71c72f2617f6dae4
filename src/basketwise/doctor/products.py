"""Whether the products of raw files are those that a model knows, and written alike."""

from __future__ import annotations

import polars as pl

from basketwise.config import Config
from basketwise.doctor.check import Check
from basketwise.errors import BasketwiseError
from basketwise.model import Model
from basketwise.registry.opening import REGISTRY, on_sagemaker
from basketwise.registry.protocol import CHAMPION
from basketwise.run.workspace import Workspace

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


def compare_products(data: str, model: Model, config: Config) -> Check:
    """Compare the product codes of the first lines of some files with the model's."""
    from basketwise.etl.cleaning import clean
    from basketwise.etl.layout import glimpses, settle_sources
    from basketwise.etl.product_file import line_files
    from basketwise.features.code_formats import describe_codes, find_difference
    from basketwise.serving.batch import scoring_settings

    products = model.products
    if not products:
        return Check(NAME, "ok", "the model does not use products")
    sources = line_files(data, config.data.products).sources
    settings, rules = scoring_settings(model, config)
    rules = settle_sources(sources, rules, settings)
    lines = [
        clean(raw.frame, rules, source="the first lines").lines["PROD_CODE"]
        for raw in glimpses(sources, settings, labelled=False)
    ]
    codes = pl.concat(lines).drop_nulls() if lines else pl.Series("PROD_CODE", [], dtype=pl.String)
    if codes.is_empty():
        return Check(NAME, "ok", "no line to compare with the model's products")
    known = codes.is_in(pl.Series(products).implode())
    share = int(known.sum()) / codes.len()
    distinct, unknown = codes.n_unique(), codes.filter(~known).unique(maintain_order=True).to_list()
    text = (
        f"the model knows {distinct - len(unknown):,} of {distinct:,} products in the first lines "
        f"({100 * share:.0f} % of these lines)"
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
