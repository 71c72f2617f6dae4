"""Archives that nobody should have: bombs, lies and damage, the same ones at every call."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import polars as pl

from basketwise.files import MODEL
from basketwise.training.skops_file import SCHEMA

INDEX, METADATA, MANIFEST = "product_index.parquet", "metadata.json", "manifest.json"
Files = Mapping[str, bytes]
GIB = 2**30


@dataclass(frozen=True)
class Case:
    """An archive, and whether it may be opened all the same."""

    name: str
    data: bytes
    refused: bool = False
    """Whether nothing but a refusal is right; otherwise a model that answers is, too."""


def pack(files: Files, *, lie: Mapping[str, Any] | None = None, manifest: bytes = b"") -> bytes:
    """Pack files with a manifest whose digests agree; ``lie`` is put into it, or it is replaced."""
    digests = {name: sha256(data).hexdigest() for name, data in files.items()}
    document = {"format_version": 1, "files": digests, **(lie or {})}
    text = manifest or json.dumps(document).encode()
    return tarred([(tarfile.TarInfo(n), d) for n, d in {**files, MANIFEST: text}.items()])


def tarred(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), 1, mtime=0)


def header(name: str, kind: bytes, size: int) -> bytes:
    """Return a block that states a size, whatever follows it."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def inflated(start: bytes, zeros: int, fill: bytes = b"\0") -> bytes:
    """Return a gzip file of some bytes and very many more, made without compressing them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    mebibyte = raw.compress(fill * 2**20) + raw.flush(zlib.Z_FULL_FLUSH)
    return head + mebibyte * (zeros // 2**20)


def rezipped(data: bytes, changed: Mapping[str, bytes], method: int = 0) -> bytes:
    """Write a skops file again with other members; ``schema`` is its schema."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", method) as target:
        for name in source.namelist():
            content = changed.get(name.partition(".")[0], source.read(name))
            target.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def bombs(files: Files) -> Iterator[Case]:
    """Yield small archives that expand to gigabytes, or take minutes, where nobody counts."""
    for title, kind, size in (
        ("pax header of 3 GiB", b"x", 3 * GIB),
        ("pax global header of 2 GiB", b"g", 2 * GIB),
        ("GNU long name of 3 GiB", b"L", 3 * GIB),
        ("GNU long link of 3 GiB", b"K", 3 * GIB),
    ):
        yield Case(title, inflated(header("x", kind, size), size, b"a"), True)
    for name in (MANIFEST, METADATA, MODEL, "model.joblib"):
        yield Case(f"{name} of 3 GiB", inflated(header(name, b"0", 3 * GIB), 3 * GIB), True)
    yield Case("trailing zeros of 3 GiB", inflated(bytes(1024), 3 * GIB), True)
    sparse = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
    block = header("p", b"x", len(sparse)) + sparse.ljust(512, b"\0")
    count = b"20000000\n" + b"0\n" * 1000
    lines = inflated(block + header("s", b"0", 40_000_000) + count, 38 * 2**20, b"0\n")
    yield Case("pax sparse map of 20 M entries", lines, True)
    old = bytearray(header("s", b"S", 0))
    old[482] = 1
    old[148:156] = b"%06o\0 " % sum(old[:148] + b" " * 8 + old[156:])
    extension = (b"0" * 11 + b"\0") * 42 + b"\1" + bytes(7)
    blocks = gzip.compress(bytes(old) + extension * 200_000, 1)
    yield Case("old GNU sparse chain of 200,000 blocks", blocks, True)
    digits = header("p", b"x", 200_000) + b"1" * 200_000
    yield Case("pax header of 200,000 digits", gzip.compress(digits), True)
    yield Case("200,000 gzip members", gzip.compress(b"") * 200_000, True)
    named = b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 20_000_000
    yield Case("gzip name of 20 MB", named, True)
    schema = b'{"a": "' + b" " * 100 * 2**20 + b'"}'
    for member, content in (
        ("schema", schema),
        ("0", np.lib.format.magic(1, 0) + bytes(100 * 2**20)),
    ):
        skops = rezipped(files[MODEL], {member: content}, zipfile.ZIP_DEFLATED)
        yield Case(f"{member} of 100 MiB in {MODEL}", pack({**files, MODEL: skops}), True)
    for title, text in (
        ("brackets", b"[" * 2_000_000),
        ("empty lists", b"[" + b"[]," * 5_000_000 + b"[]]"),
        ("nesting", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    ):
        yield Case(f"manifest of {title}", pack(files, manifest=text), True)
        yield Case(f"metadata of {title}", pack({**files, METADATA: text}), True)
        yield Case(f"calibration of {title}", pack({**files, "calibration.json": text}), True)
        skops = rezipped(files[MODEL], {"schema": text})
        yield Case(f"schema of {title}", pack({**files, MODEL: skops}), True)
    index = pl.read_parquet(io.BytesIO(files[INDEX]))
    many = pl.concat([index] * (2_000_000 // index.height), rechunk=False)
    yield Case("index of 2 M equal rows", pack({**files, INDEX: parquet(many)}), True)
    long = index.with_columns(pl.lit("x" * 30_000_000).alias("PROD_NAME"))
    yield Case("index of names of 30 MB", pack({**files, INDEX: parquet(long)}), True)


def parquet(table: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    table.write_parquet(out)
    return out.getvalue()


def trees(files: Files, title: str) -> Iterator[Case]:
    """Yield models with a node of a tree that no training leaves there."""
    data = files[MODEL]
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        schema = source.read(SCHEMA).decode()
        arrays = {n: source.read(n) for n in source.namelist() if n.endswith(".npy")}
    tables = [name for name, npy in arrays.items() if b"left_child" in npy]

    def edited(table: str, change: Callable[[Any], Any]) -> bytes:
        array = np.load(io.BytesIO(arrays[table])).copy()
        out = io.BytesIO()
        np.save(out, change(array))
        return rezipped(data, {table.partition(".")[0]: out.getvalue()})

    def set_node(field: str, node: int, value: Any) -> Callable[[Any], Any]:
        def change(array: Any) -> Any:
            array[field][node] = value
            return array

        return change

    for field in ("left_child", "right_child"):
        for value in (0, -2, 1, 10**6, 2**31, 2**62, -(2**62)):
            if (field, value) != ("left_child", 1):
                case = edited(tables[0], set_node(field, 0, value))
                yield Case(f"{title}: {field} = {value}", pack({**files, MODEL: case}), True)
    for value in (1000, -(10**6), -1, 26, 2**62):
        case = edited(tables[0], set_node("feature", 0, value))
        yield Case(f"{title}: feature = {value}", pack({**files, MODEL: case}), True)
    for number in (np.nan, np.inf):
        case = edited(tables[0], set_node("threshold", 0, number))
        yield Case(f"{title}: threshold = {number}", pack({**files, MODEL: case}), True)
    for name, change in (
        ("fewer", lambda array: array[:-1]),
        ("none", lambda array: array[:0]),
        ("twice", lambda array: np.concatenate([array, array])),
        ("square", lambda array: array.reshape(1, -1)),
        ("numbers", lambda array: np.zeros(array.size)),
    ):
        case = edited(tables[0], change)
        yield Case(f"{title}: nodes {name}", pack({**files, MODEL: case}), True)
    mark = '"content":"'
    at = schema.index(mark, schema.index('"node_count":{')) + len(mark)
    for count in ("0", "-1", "1", "1000000", "1e9", "null", "1" * 30):
        text = schema[:at] + count + schema[schema.index('"', at) :]
        case = rezipped(data, {"schema": text.encode()})
        yield Case(f"{title}: node_count = {count}", pack({**files, MODEL: case}), True)


def lies(files: Files) -> Iterator[Case]:
    """Yield archives whose manifest, metadata or index says what no training says."""
    versions: list[Any] = [1e999, "1", None, [], 2**80, -1.5, True]
    named: list[Any] = [[], 3, None, {"x" * 300: "0" * 64}, {"../x": "0"}, {MODEL: 1}]
    told = [*(("format_version", v) for v in versions), *(("files", v) for v in named)]
    for key, value in told:
        yield Case(f"manifest: {key} = {value!r}"[:80], pack(files, lie={key: value}), True)
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
    regions = {**metadata["encoders"], "store_region": [str(n) for n in range(20_000)]}
    text = json.dumps({**metadata, "encoders": regions}).encode()
    yield Case("metadata: 20,000 regions", pack({**files, METADATA: text}))
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
            case = pack({**files, INDEX: parquet(table)})
            yield Case(f"index: {name} {what}", case, not may)
    for height in (0, 1):
        table = index.head(height)
        yield Case(f"index of {height} rows", pack({**files, INDEX: parquet(table)}))
    twice = pack({**files, INDEX: parquet(pl.concat([index, index]))})
    yield Case("index with every product twice", twice, True)
    reserved = struct.pack("<L", 2**31) + b"PAR1"
    yield Case("index with a footer of 2 GiB", pack({**files, INDEX: b"PAR1" + reserved}), True)


def other_objects(files: Files) -> Iterator[Case]:
    """Yield models of trusted types that are no candidates, or not fitted."""
    import skops.io
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier
    from xgboost import XGBClassifier

    X, y = np.eye(26, dtype=np.float32), np.arange(26) % 3
    forest = RandomForestClassifier(2, random_state=0).fit(X, y)
    forest.estimators_ = []
    threads = RandomForestClassifier(2, random_state=0).fit(X, y)
    threads.n_jobs = 10**9
    for title, value in {
        "text": "a model",
        "None": None,
        "a list": [1],
        "a function": np.sqrt,
        "neighbours": KNeighborsClassifier(1).fit(X, y),
        "a dummy": DummyClassifier().fit(X, y),
        "an unfitted tree": DecisionTreeClassifier(),
        "an unfitted booster": XGBClassifier(),
        "a pipeline of one step": make_pipeline(StandardScaler()).fit(X),
        "a forest without trees": forest,
        "a forest of many threads": threads,
        "two classes": DecisionTreeClassifier(random_state=0).fit(X, y > 0),
        "other features": DecisionTreeClassifier(random_state=0).fit(X[:, :5], y),
        "an array": np.zeros(3),
    }.items():
        yield Case(f"model: {title}", pack({**files, MODEL: skops.io.dumps(value)}), True)


def damage(files: Files, seed: int, count: int) -> Iterator[Case]:
    """Yield an archive cut off, with bits turned, and with changed headers."""
    rng = np.random.default_rng(seed)
    sound = pack(files)
    opened = gzip.decompress(sound)
    headers = [at for at in range(0, len(opened), 512) if opened[at + 257 : at + 262] == b"ustar"]
    for number in range(count):
        at = int(rng.integers(len(sound)))
        yield Case(f"cut off at {at}", sound[:at], True)
        turned = bytearray(sound)
        # What follows the first ten bytes is covered by a checksum.
        turned[max(at, 10)] ^= 1 << int(rng.integers(8))
        yield Case(f"bit turned at {at}, {number}", bytes(turned), True)
        changed = bytearray(opened)
        start = headers[int(rng.integers(len(headers)))]
        for _ in range(int(rng.integers(1, 4))):
            changed[start + int(rng.integers(512))] = int(rng.integers(256))
        block = changed[start : start + 512]
        changed[start + 148 : start + 156] = b"%06o\0 " % sum(block[:148] + b" " * 8 + block[156:])
        yield Case(f"header changed at {start}, {number}", gzip.compress(bytes(changed), 1))


def mutated(files: Files, name: str, title: str, seed: int, count: int) -> Iterator[Case]:
    """Yield archives with some changed bytes in one file, of which the manifest does not tell."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        data = bytearray(files[name])
        for _ in range(int(rng.integers(1, 5))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        yield Case(f"{title} mutated, {number}", pack({**files, name: bytes(data)}))


def members_mutated(files: Files, title: str, seed: int, count: int) -> Iterator[Case]:
    """Yield models with some changed bytes in a member, whose checksum is right."""
    rng = np.random.default_rng(seed)
    with zipfile.ZipFile(io.BytesIO(files[MODEL])) as source:
        members = {name.partition(".")[0]: source.read(name) for name in source.namelist()}
    # The larger ones more often, but small ones too.
    weights = np.sqrt([len(content) for content in members.values()])
    for number in range(count):
        name = str(rng.choice(list(members), p=weights / weights.sum()))
        data = bytearray(members[name])
        for _ in range(int(rng.integers(1, 4))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        case = rezipped(files[MODEL], {name: bytes(data)})
        yield Case(f"{title}: {name} mutated, {number}", pack({**files, MODEL: case}))
