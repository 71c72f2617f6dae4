"""Archives with models that no training leaves: in types, objects, arrays, trees or bytes."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from basketwise.files import MODEL
from basketwise.training.skops_file import SCHEMA
from tests.hostile.archives.making import (
    METADATA,
    Case,
    Files,
    deflated,
    pack,
    rezipped,
    unzipped,
    zipped,
)

FOREIGN = (
    ("FunctionNode", "posix", "system"),
    ("FunctionNode", "builtins", "eval"),
    ("MethodNode", "subprocess", "Popen"),
    ("PartialNode", "functools", "partial"),
    ("TypeNode", "subprocess", "Popen"),
    ("TypeNode", "builtins", "object"),
    ("ObjectNode", "builtins", "eval"),
    ("ObjectNode", "subprocess", "Popen"),
    ("ObjectNode", "sklearn.svm._classes", "SVC"),
    ("ObjectNode", "sklearn.pipeline", "FeatureUnion"),
    ("SingletonNode", "builtins", "print"),
    ("OperatorFuncNode", "operator", "attrgetter"),
    ("RandomStateNode", "numpy.random", "RandomState"),
    ("RandomGeneratorNode", "numpy.random", "Generator"),
    ("SparseMatrixNode", "scipy.sparse", "csr_matrix"),
    ("MaskedArrayNode", "numpy.ma", "MaskedArray"),
    ("LossNode", "sklearn._loss", "Loss"),
    ("CachedNode", "builtins", "dict"),
    ("NoSuchNode", "builtins", "dict"),
    ("DictNode", "collections", "defaultdict"),
    ("SetNode", "builtins", "set"),
    ("TreeNode", "builtins", "eval"),
    ("", "", ""),
)
"""Loaders and types that skops knows, or not, and no candidate is made of."""


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def untrusted(files: Files) -> Iterator[Case]:
    """Yield pipelines with other types and loaders: as the model, as a parameter, in a list."""
    for loader, module, name in FOREIGN:
        node = {"__loader__": loader, "__module__": module, "__class__": name, "content": {}}
        for where in ("the model", "a parameter", "an entry of a list"):
            schema = json.loads(unzipped(files[MODEL])[SCHEMA])
            if where == "the model":
                schema |= node
            elif where == "a parameter":
                schema["content"]["content"]["verbose"] = node
            else:
                entry = {"__loader__": "ListNode", "__module__": "builtins", "__class__": "list"}
                schema["content"]["content"]["memory"] = {**entry, "content": [node]}
            title = f"{loader} {module}.{name} as {where}"
            yield _with_schema(files, title, schema)


def _with_schema(files: Files, title: str, schema: Any) -> Case:
    model = rezipped(files[MODEL], {SCHEMA: json.dumps(schema).encode()})
    return Case(f"skops: {title}", pack({**files, MODEL: model}), True)


def arrays(files: Files) -> Iterator[Case]:
    """Yield models with an array that is no plain one of numbers, or lies about its size."""
    members = unzipped(files[MODEL])
    table = next(name for name, npy in members.items() if b"left_child" in npy[:1000])
    for title, head in {
        "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
        "a field of objects": "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (3,), }",
        "text": "{'descr': '<U9', 'fortran_order': False, 'shape': (3,), }",
        "times": "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (3,), }",
        "nine dimensions": "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)*9, }",
        "four dimensions": "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1, 1), }",
        "2**60 rows": f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**60},), }}",
        "2**70 rows": f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**70},), }}",
        "-1 rows": "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "items of 0 bytes": f"{{'descr': '|V0', 'fortran_order': False, 'shape': ({2**60},), }}",
        "a call": "__import__('os').mkdir('called')",
        "brackets": "[" * 5000,
        "no shape": "{'descr': '<f8'}",
        "an unknown type": "{'descr': 'zz', 'fortran_order': False, 'shape': (3,), }",
    }.items():
        for version in (1, 2):
            size = struct.pack("<H" if version == 1 else "<L", len(head))
            npy = np.lib.format.magic(version, 0) + size + head.encode() + bytes(24)
            model = rezipped(files[MODEL], {table: npy})
            name = f"skops: array of {title}, version {version}"
            yield Case(name, pack({**files, MODEL: model}), True)


def zips(files: Files) -> Iterator[Case]:
    """Yield models in zip files of other forms."""
    data, members = files[MODEL], unzipped(files[MODEL])
    at = data.rindex(b"PK\5\6")
    many = {f"n{number}": b"" for number in range(20_001)}
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as target:
            for name, content in members.items():
                target.writestr(name, content)
        bzipped = out.getvalue()
    for title, model in {
        "nothing": b"",
        "text": b"model",
        "the end alone": data[at:],
        "a comment": data[:-2] + b"\1\0x",
        "bytes before it": b"x" + data,
        "bytes after it": data + b"x",
        "half a file": data[: len(data) // 2],
        "65,535 members claimed": data[: at + 8] + b"\xff" * 4 + data[at + 12 :],
        "a directory elsewhere": data[: at + 16] + bytes(4) + data[at + 20 :],
        "two disks": data[: at + 4] + b"\1\0" + data[at + 6 :],
        "encrypted": data.replace(
            b"PK\1\2\x14\x00\x14\x00\x00\x00", b"PK\1\2\x14\x00\x14\x00\1\x00"
        ),
        "20,001 members more": zipped({**members, **many}),
        "no schema": zipped({name: c for name, c in members.items() if name != SCHEMA}),
        "a schema alone": zipped({SCHEMA: members[SCHEMA]}),
        "an empty schema": zipped({**members, SCHEMA: b""}),
        "deflated": zipped({name: deflated(c) for name, c in members.items()}),
        "bzip2": bzipped,
    }.items():
        if model != data:
            yield Case(f"skops: zip of {title}", pack({**files, MODEL: model}), True)


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

    features = _features(files)
    X, y = np.eye(features, dtype=np.float32), np.arange(features) % 3
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


def _features(files: Files) -> int:
    return len(json.loads(files[METADATA])["feature_columns"])


def trees(files: Files, title: str) -> Iterator[Case]:
    """Yield models with a node of a tree that no training leaves there."""
    members = unzipped(files[MODEL])
    schema = members[SCHEMA].decode()
    table = next(name for name, npy in members.items() if b"left_child" in npy[:1000])

    def changed(what: str, change: Callable[[Any], Any]) -> Case:
        out = io.BytesIO()
        np.save(out, change(np.load(io.BytesIO(members[table])).copy()))
        model = rezipped(files[MODEL], {table: out.getvalue()})
        return Case(f"{title}: {what}", pack({**files, MODEL: model}), True)

    def set_root(field: str, value: Any) -> Callable[[Any], Any]:
        def change(array: Any) -> Any:
            array[field][0] = value
            return array

        return change

    for field in ("left_child", "right_child"):
        for value in (0, -2, 1, 10**6, 2**31, 2**62, -(2**62)):
            if (field, value) != ("left_child", 1):
                yield changed(f"{field} = {value}", set_root(field, value))
    for value in (1000, -(10**6), -1, _features(files), 2**62):
        yield changed(f"feature = {value}", set_root("feature", value))
    for number in (np.nan, np.inf):
        yield changed(f"threshold = {number}", set_root("threshold", number))
    yield changed("nodes fewer", lambda array: array[:-1])
    yield changed("nodes none", lambda array: array[:0])
    yield changed("nodes twice", lambda array: np.concatenate([array, array]))
    yield changed("nodes square", lambda array: array.reshape(1, -1))
    yield changed("nodes numbers", lambda array: np.zeros(array.size))
    mark = '"content":"'
    at = schema.index(mark, schema.index('"node_count":{')) + len(mark)
    for count in ("0", "-1", "1", "1000000", "1e9", "null", "1" * 30):
        text = schema[:at] + count + schema[schema.index('"', at) :]
        model = rezipped(files[MODEL], {SCHEMA: text.encode()})
        yield Case(f"{title}: node_count = {count}", pack({**files, MODEL: model}), True)


def misplaced(forest: Files, logistic: Files) -> Iterator[Case]:
    """Yield a forest with a tree that is no estimator's, and a pipeline of too large arrays."""
    schema = json.loads(unzipped(forest[MODEL])[SCHEMA])
    state = schema["content"]["content"]
    tree = state["estimators_"]["content"][0]["content"]["content"]["tree_"]
    state["criterion"] = tree
    yield _with_schema(forest, "a tree as a parameter", schema)
    members = unzipped(logistic[MODEL])
    array = io.BytesIO()
    np.save(array, np.zeros(9 * 2**17))
    name = next(name for name in members if name.endswith(".npy"))
    model = rezipped(logistic[MODEL], {name: array.getvalue()})
    yield Case("skops: array of 9 MiB", pack({**logistic, MODEL: model}), True)


def pickles(files: Files, marker: Path) -> Iterator[Case]:
    """Yield archives with pickles that make a folder; only those that nobody opens may answer."""
    payload = pickle.dumps(Payload(marker))
    members = unzipped(files[MODEL])
    table = next(name for name, npy in members.items() if b"left_child" in npy[:1000])
    array = io.BytesIO()
    np.save(array, np.array([Payload(marker)], dtype=object), allow_pickle=True)
    script = f"import os\nos.mkdir({str(marker)!r})\n".encode()
    for title, content, refused in (
        (MODEL, {MODEL: payload}, True),
        ("an array", {MODEL: rezipped(files[MODEL], {table: array.getvalue()})}, True),
        ("a member", {MODEL: zipped({**members, "x.pkl": payload})}, False),
        ("model.joblib", {"model.joblib": payload}, False),
        ("model.pkl", {"model.pkl": payload}, False),
        ("code", {"code/inference.py": script, "code/sitecustomize.py": script}, False),
        ("the index", {"product_index.parquet": payload}, True),
    ):
        yield Case(f"pickle as {title}", pack({**files, **content}), refused)


def mutated(
    files: Files, name: str, title: str, rng: np.random.Generator, count: int
) -> Iterator[Case]:
    """Yield archives with some changed bytes in one file, of which the manifest does not tell."""
    for number in range(count):
        data = bytearray(files[name])
        for _ in range(int(rng.integers(1, 5))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        yield Case(f"{title} mutated, {number}", pack({**files, name: bytes(data)}))


def members_mutated(
    files: Files, title: str, rng: np.random.Generator, count: int
) -> Iterator[Case]:
    """Yield models with some changed bytes in a member, whose checksum is right."""
    members = unzipped(files[MODEL])
    # The larger ones more often, but small ones too.
    weights = np.sqrt([len(content) for content in members.values()])
    for number in range(count):
        name = str(rng.choice(list(members), p=weights / weights.sum()))
        data = bytearray(members[name])
        for _ in range(int(rng.integers(1, 4))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        case = rezipped(files[MODEL], {name: bytes(data)})
        yield Case(f"{title}: {name} mutated, {number}", pack({**files, MODEL: case}))
