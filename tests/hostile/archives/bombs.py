"""Small archives that expand to gigabytes, or take minutes, where nobody counts."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from basketwise.files import MODEL
from basketwise.training.skops_file import SCHEMA
from tests.hostile.archives.making import (
    CALIBRATION,
    INDEX,
    MANIFEST,
    METADATA,
    MIB,
    Case,
    Files,
    deflated,
    edited,
    header,
    manifest_of,
    pack,
    padded,
    parquet,
    rezipped,
    tarred,
    unzipped,
    zipped,
)

SMALLER = 32
"""What sizes are divided by where minutes matter; all are beyond the bounds then, too."""


def tar_bombs(files: Files, *, full: bool) -> Iterator[Case]:
    """Yield bombs that no reader of tar or gzip must take; sound files follow where they can."""
    gib = 1024 // (1 if full else SMALLER)
    sound = tarred({**files, MANIFEST: manifest_of(files)})
    for title, kind, size in (
        ("pax header of 3 GiB", b"x", 3),
        ("pax global header of 2 GiB", b"g", 2),
        ("GNU long name of 3 GiB", b"L", 3),
        ("GNU long link of 3 GiB", b"K", 3),
    ):
        start = header("x", kind, size * gib * MIB)
        yield Case(title, deflated(start, size * gib, b"a", sound).gzipped(), True)
    for name in (MANIFEST, METADATA, MODEL, "model.joblib"):
        others = {n: d for n, d in {**files, MANIFEST: manifest_of(files)}.items() if n != name}
        large = deflated(header(name, b"0", 3 * gib * MIB), 3 * gib, end=tarred(others))
        yield Case(f"{name} of 3 GiB", large.gzipped(), True)
    trailing = deflated(sound, 3 * gib, end=bytes(1024))
    yield Case("3 GiB of zeros after the end", trailing.gzipped(), True)
    yield Case("pax sparse map of 20 M entries", _sparse_map(80 if full else 4), True)
    yield Case("old GNU sparse chain of 2 M blocks", _sparse_chain(1000 if full else 8), True)
    digits = header("p", b"x", 200_000) + padded(b"1" * 200_000)
    yield Case("pax header of 200,000 digits", gzip.compress(digits + sound, 1), True)
    count = 200_000 if full else 2_000
    yield Case("200,000 gzip members", gzip.compress(b"") * count, True)
    named = b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (20_000_000 if full else 200_000)
    yield Case("gzip name of 20 MB", named + b"\0" + gzip.compress(sound)[10:])


def _sparse_map(mebibytes: int) -> bytes:
    """Return an archive with a sparse file of pax's form 1.0, whose map is its content."""
    told = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n27 GNU.sparse.realsize=100\n"
    start = header("p", b"x", len(told)) + padded(told) + header("s", b"0", mebibytes * MIB + 512)
    count = (b"%d\n" % (mebibytes * MIB // 4)).ljust(512, b"\n").replace(b"\n\n", b"\n0")[:511]
    return deflated(start + count + b"\n", mebibytes, b"0\n", bytes(1024)).gzipped()


def _sparse_chain(mebibytes: int) -> bytes:
    """Return an archive with an old sparse file of GNU's, whose map is a chain of blocks."""
    number = b"0" * 11 + b"\0"
    # Four entries of two numbers, whether there are more, and the size of the file.
    start = edited(header("s", b"S", 0), 386, number * 8 + b"\1" + number)
    block = number * 42 + b"\1" + bytes(7)
    last = number * 42 + bytes(8)
    return deflated(start, mebibytes, block, last + bytes(1024)).gzipped()


def document_bombs(files: Files, *, full: bool) -> Iterator[Case]:
    """Yield JSON of few bytes that becomes many objects, or is nested without end."""
    times = 10 if full else 1
    for title, text in (
        ("brackets", b"[" * 1_100_000),
        ("empty lists", b"[" + b"[]," * 510_000 * times + b"[]]"),
        ("nesting", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    ):
        yield Case(f"manifest of {title}", pack(files, text), True)
        yield Case(f"metadata of {title}", pack({**files, METADATA: text}), True)
        yield Case(f"calibration of {title}", pack({**files, CALIBRATION: text}), True)


def skops_bombs(files: Files, *, full: bool) -> Iterator[Case]:
    """Yield models whose members expand to more than they may."""
    gib = 1024 // (1 if full else SMALLER)
    array = next(name for name in unzipped(files[MODEL]) if name.endswith(".npy"))
    npy = np.lib.format.magic(1, 0) + b"v\0" + b" " * 118
    for member, large in (
        (SCHEMA, deflated(b'{"a": "', 2 * gib, b" ", b'"}')),
        (array, deflated(npy, 2 * gib)),
    ):
        model = rezipped(files[MODEL], {member: large})
        yield Case(
            f"{Path(member).suffix} of 2 GiB in {MODEL}", pack({**files, MODEL: model}), True
        )
    for title, text in (
        ("brackets", b"[" * 510_000),
        ("nesting", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    ):
        model = rezipped(files[MODEL], {SCHEMA: text})
        yield Case(f"schema of {title}", pack({**files, MODEL: model}), True)
    if not full:
        return
    for title, member, content in (
        ("schema of 120 MiB", SCHEMA, b'{"a": "' + b" " * 120 * MIB + b'"}'),
        ("array of 120 MiB", array, npy + bytes(120 * MIB)),
        ("array of 380 MiB", array, npy + bytes(380 * MIB)),
    ):
        model = rezipped(files[MODEL], {member: content})
        yield Case(f"{title}, stored in {MODEL}", spacious({**files, MODEL: model}), True)


def spacious(files: Files) -> bytes:
    """Pack files in an archive that is large enough to expand to all of them."""
    return pack({**files, "model.joblib": np.random.default_rng(0).bytes(16 * MIB)})


def large_forests(files: Files) -> Iterator[Case]:
    """Yield two forests as large as may be, all of whose trees are sound; one is no candidate."""
    members = unzipped(files[MODEL])
    schema = json.loads(members[SCHEMA])
    state = schema["content"]["content"]
    forest = state["estimators_"]["content"]
    tree = forest[0]["content"]["content"]["tree_"]["content"]["content"]
    nodes = _chain(np.load(io.BytesIO(members[tree["nodes"]["file"]])), 10 * MIB)
    tree["node_count"]["content"] = str(nodes.size)
    arrays = {"nodes": nodes, "values": np.full((nodes.size, 1, 3), 1 / 3)}
    del forest[1:]
    for number in range(4):
        copy = json.loads(json.dumps(forest[0]))
        inside = copy["content"]["content"]["tree_"]["content"]["content"]
        for name, array in arrays.items():
            inside[name]["file"] = f"{name}{number}.npy"
            stream = io.BytesIO()
            np.save(stream, array)
            members[f"{name}{number}.npy"] = stream.getvalue()
        forest.append(copy)
    del forest[0]
    for title, refused in (("sound forest", False), ("forest without classes", True)):
        if refused:
            del state["n_classes_"]
        model = zipped({**members, SCHEMA: json.dumps(schema).encode()})
        size = len(model) // MIB
        yield Case(f"{title} of {size} MiB", spacious({**files, MODEL: model}), refused)


def large_booster(files: Files) -> Iterator[Case]:
    """Yield a model of XGBoost that is as large as it may be, and has a tree too many."""
    members = unzipped(files[MODEL])
    name = next(name for name in members if not name.endswith((".npy", ".json")))
    booster = json.loads(members[name])
    trees = booster["learner"]["gradient_booster"]["model"]["trees"]
    size = json.dumps(trees[0]).count(",") + 20
    trees += [trees[0]] * (2_900_000 // size)
    model = rezipped(files[MODEL], {name: json.dumps(booster).encode()})
    yield Case("booster of 3 M numbers", spacious({**files, MODEL: model}), True)
    rest = b"[" + b"0," * 2_900_000 + b"0]"
    model = rezipped(files[MODEL], {name: rest})
    yield Case("booster of a list", spacious({**files, MODEL: model}), True)


def large_arrays(files: Files) -> Iterator[Case]:
    """Yield a pipeline whose arrays are as large as they may be."""
    members = unzipped(files[MODEL])
    stream = io.BytesIO()
    np.save(stream, np.zeros(31 * MIB // 8))
    names = [name for name in members if name.endswith(".npy")][:4]
    model = rezipped(files[MODEL], dict.fromkeys(names, stream.getvalue()))
    yield Case("four arrays of 31 MiB", spacious({**files, MODEL: model}), True)


def _chain(nodes: Any, size: int) -> Any:
    """Return a table of about twice so many bytes: every inner node has a leaf to its right."""
    count = size // nodes.itemsize
    chain = np.resize(nodes, 2 * count + 1)
    at = np.arange(chain.size)
    inner = (at % 2 == 0) & (at < 2 * count)
    chain["left_child"] = np.where(inner, at + 2, -1)
    chain["right_child"] = np.where(inner, at + 1, -1)
    chain["feature"], chain["threshold"] = 0, 0.0
    return chain


def index_bombs(files: Files, *, full: bool) -> Iterator[Case]:
    """Yield product indexes whose pages or texts expand to more than they may."""
    index = pl.read_parquet(io.BytesIO(files[INDEX]))
    rows = pack({**files, INDEX: equal_rows(index, 25 if full else 2)})
    yield Case("index of 25 M equal rows", rows, True)
    text = "x" * (30_000_000 if full else 2_000_000)
    long = index.with_columns(pl.lit(text).alias("PROD_NAME"))
    yield Case("index of names of 30 MB", pack({**files, INDEX: parquet(long)}), True)


def equal_rows(index: pl.DataFrame, millions: int) -> bytes:
    """Return a Parquet file of one row, millions of times, which are never in memory at once."""
    with TemporaryDirectory() as folder:
        million, all_rows = Path(folder, "million.parquet"), Path(folder, "all.parquet")
        row, thousand = index.head(1), pl.int_range(1000, eager=True) * 0
        table = row[thousand]
        pl.concat([table] * 1000).rechunk().write_parquet(million)
        pl.concat([pl.scan_parquet(million)] * millions).sink_parquet(all_rows)
        return all_rows.read_bytes()
