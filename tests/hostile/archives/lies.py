"""Archives whose manifest, metadata, calibration or index says what no training says."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from typing import Any

import polars as pl

from basketwise.features.product_index.table import PRICES
from basketwise.files import MODEL
from tests.hostile.archives.making import (
    CALIBRATION,
    INDEX,
    METADATA,
    Case,
    Files,
    manifest_of,
    pack,
    parquet,
)


def document_lies(files: Files) -> Iterator[Case]:
    """Yield archives with wrong values in a JSON document."""
    yield from _of_manifest(files)
    yield from _of_metadata(files)
    yield from _of_calibration(files)


def _of_manifest(files: Files) -> Iterator[Case]:
    versions: list[Any] = [1e999, "1", None, [], 2**80, -1.5, True]
    named: list[Any] = [[], 3, None, {"x" * 300: "0" * 64}, {"../x": "0"}, {MODEL: 1}]
    named += [{}, {f"{n}": "0" * 64 for n in range(300)}, {"code/../x": "0"}, {"": "0"}]
    for key, value in [*(("format_version", v) for v in versions), *(("files", v) for v in named)]:
        case = pack(files, manifest_of(files, **{key: value}))
        yield Case(f"manifest: {key} = {value!r}"[:80], case, True)
    for text in (b"", b"{", b"[]", b"\xff", b"null", b"{}", b'{"format_version":' + b"1" * 9000):
        yield Case(f"manifest: {text[:20]!r}", pack(files, text or b" "), True)


def _of_metadata(files: Files) -> Iterator[Case]:
    metadata = json.loads(files[METADATA])
    columns = metadata["feature_columns"]
    wrong: list[tuple[str, Any]] = [
        *(("feature_columns", v) for v in ([], columns[:3], [*columns, columns[0]], ["x"], None)),
        *(("groups", v) for v in ([], ["x"], ["basket"], None, [1])),
        *(("target_classes", v) for v in ([], ["a", "b", "c"], None)),
        ("encoders", {"store_format": ["a", "a"], "store_region": []}),
        ("rules", {"labels": 3}),
        ("rules", {"date_format": "%Q nonsense"}),
        ("rules", {"week": "99-99"}),
        ("outliers", {**metadata["outliers"], "threshold": "x"}),
    ]
    for key, value in wrong:
        text = json.dumps({**metadata, key: value}).encode()
        may = key in ("rules", "groups")
        yield Case(f"metadata: {key} = {value!r}"[:80], pack({**files, METADATA: text}), not may)
    for key in metadata:
        text = json.dumps({name: value for name, value in metadata.items() if name != key}).encode()
        yield Case(f"metadata: no {key}", pack({**files, METADATA: text}))
    regions = {**metadata["encoders"], "store_region": [str(n) for n in range(20_000)]}
    text = json.dumps({**metadata, "encoders": regions}).encode()
    yield Case("metadata: 20,000 regions", pack({**files, METADATA: text}))


def _of_calibration(files: Files) -> Iterator[Case]:
    line = [[0.0, 1.0], [0.0, 1.0]]
    wrong: dict[str, dict[str, Any]] = {
        "unknown method": {"method": "x"},
        "temperature of 0": {"method": "temperature", "temperature": 0},
        "temperature of 1e999": {"method": "temperature", "temperature": 1e999},
        "temperature of NaN": {"method": "temperature", "temperature": float("nan")},
        "no thresholds": {"method": "isotonic"},
        "two curves": {"method": "isotonic", "thresholds": [line] * 2},
        "empty curves": {"method": "isotonic", "thresholds": [[[], []]] * 3},
        "unequal curves": {"method": "isotonic", "thresholds": [[[0.0, 1.0], [1.0]]] * 3},
        "falling curves": {"method": "isotonic", "thresholds": [[[0.0, 1.0], [1.0, 0.0]]] * 3},
        "curves of NaN": {"method": "isotonic", "thresholds": [[[float("nan")], [0.5]]] * 3},
        "curves beyond 1": {"method": "isotonic", "thresholds": [[[0.0, 2.0], [0.0, 2.0]]] * 3},
        "curves of text": {"method": "isotonic", "thresholds": "x"},
        "an unknown field": {"method": "none", "x": 1},
        "a description of 1 MB": {"method": "none", "description": "x" * 10**6},
        "a description of a number": {"method": "none", "description": 1},
    }
    for title, changed in wrong.items():
        text = json.dumps({"description": "x", **changed}).encode()
        yield Case(f"calibration: {title}", pack({**files, CALIBRATION: text}), True)


def index_lies(files: Files) -> Iterator[Case]:
    """Yield product indexes of other columns, types, values and heights."""
    index = pl.read_parquet(io.BytesIO(files[INDEX]))
    for name in index.columns:
        tables = {
            "dropped": index.drop(name),
            "null": index.with_columns(pl.lit(None, index.schema[name]).alias(name)),
            "a list": index.with_columns(pl.concat_list(name)),
            "renamed": index.rename({name: "x"}),
            "binary": index.with_columns(pl.lit(b"\xff\xfe").alias(name)),
            "infinite": index.with_columns(pl.lit(float("inf"), pl.Float32).alias(name)),
        }
        for what, table in tables.items():
            # A level, or a name, may be unknown; no name at all is an older model.
            may = name.startswith("PROD_") and what in ("null", "dropped")
            may = may or (name in PRICES and what == "null")
            case = pack({**files, INDEX: parquet(table)})
            yield Case(f"index: {name} {what}", case, not may)
    for height in (0, 1):
        yield Case(f"index of {height} rows", pack({**files, INDEX: parquet(index.head(height))}))
    twice = pack({**files, INDEX: parquet(pl.concat([index, index]))})
    yield Case("index with every product twice", twice, True)
    reserved = struct.pack("<L", 2**31) + b"PAR1"
    yield Case("index with a footer of 2 GiB", pack({**files, INDEX: b"PAR1" + reserved}), True)
