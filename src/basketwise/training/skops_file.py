"""``model.skops`` before anything is constructed from it: its schema, arrays and types.

skops compares types with a list, and nothing else: the schema may be a few bytes that take an hour,
and its own list has several hundred types. Here a file consists of numbers, texts, arrays,
containers and the types that :data:`basketwise.candidates.TRUSTED` names, each object once.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basketwise.artifact.documents import parse_json
from basketwise.artifact.stored import read_stored
from basketwise.candidates import TRUSTED

SCHEMA = "schema.json"
MAX_BYTES = 128 * 2**20
"""Of ``model.skops``; training refuses to write a larger one."""
MAX_SCHEMA = 32 * 2**20
MAX_DEPTH = 40
MAX_TEXT = 100_000
MAX_ARRAY = 32 * 2**20
MAX_REST = 8 * 2**20
"""Of what skops constructs: of all but trees and boosters."""
MAX_HEADER = 10_000

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold."""

CONTAINERS = {"DictNode": "dict", "ListNode": "list", "TupleNode": "tuple"}
BYTES = {"BytearrayNode": "bytearray"}
OBJECTS = ("ObjectNode", "TreeNode")
ARRAYS = {"ndarray", "float64", "float32", "int64", "int32", "int8", "bool", "bool_"}
KEYS = {"str", "int", "float", "bool"}
"""Types of the keys of a dictionary."""

Node = dict[str, Any]


@dataclass(frozen=True)
class SkopsFile:
    """A skops file that is bounded; what its schema says is not checked yet."""

    schema: Node
    members: Mapping[str, memoryview]


def read_skops(data: bytes) -> SkopsFile:
    """Read the members and the schema of a skops file; a ValueError says what is wrong with it."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    members = read_stored(data)
    # One byte more is enough to be refused.
    schema = parse_json(bytes(members.get(SCHEMA, b"")[: MAX_SCHEMA + 1]), MAX_SCHEMA)
    if not isinstance(schema, dict):
        raise ValueError("its schema is no object")
    return SkopsFile(schema, members)


def type_of(node: Mapping[str, Any]) -> str:
    """Return the full name of the type of a node of the schema."""
    return f"{node.get('__module__')}.{node.get('__class__')}"


def objects(file: SkopsFile) -> Iterator[Node]:
    """Yield every object of a trusted type in a skops file, once all of the file is checked."""
    untrusted: set[str] = set()
    # Not yielded while checking: nothing must be done with a part of a bad file.
    checked = list(_objects(file.schema, file, untrusted, 0))
    if untrusted:
        raise UntrustedTypeError(untrusted)
    yield from checked


class UntrustedTypeError(ValueError):
    """A model contains types that no candidate is made of."""

    def __init__(self, types: set[str]) -> None:
        super().__init__(f"types that are not trusted: {', '.join(sorted(types))[:1000]}")


def _objects(node: Any, file: SkopsFile, untrusted: set[str], depth: int) -> Iterator[Node]:
    if not isinstance(node, dict) or depth > MAX_DEPTH:
        raise ValueError("its schema is damaged or nested too deeply")
    # Two nodes with one id are one object for skops: built once, but visited by every way to it.
    node.pop("__id__", None)
    loader, name = node.get("__loader__"), node.get("__class__")
    children: list[Any] = []
    if loader == "JsonNode":
        if not isinstance(node.get("content"), str) or len(node["content"]) > MAX_TEXT:
            raise ValueError("its schema is damaged")
    elif loader == "NdArrayNode" and node.get("__module__") == "numpy" and name in ARRAYS:
        read_array(file.members, node)
    elif loader in BYTES and type_of(node) == f"builtins.{BYTES[loader]}":
        _ = file.members[node["file"]]
    elif loader == "TypeNode" and node.get("__module__") == "builtins" and name in KEYS:
        pass
    elif loader in CONTAINERS and type_of(node) == f"builtins.{CONTAINERS[loader]}":
        children = _contained(node)
    elif loader in OBJECTS and type_of(node) in TRUSTED:
        yield node
        children = [
            node["content"],
            *([node["__reduce__"]["args"]] if "__reduce__" in node else []),
        ]
    else:
        untrusted.add(type_of(node))
    for child in children:
        yield from _objects(child, file, untrusted, depth + 1)


def _contained(node: Node) -> list[Any]:
    """Return the nodes in a container."""
    content: Any = node["content"]
    if not isinstance(content, dict if node["__loader__"] == "DictNode" else list):
        raise ValueError("its schema is damaged")
    return [*content.values(), node["key_types"]] if isinstance(content, dict) else content


def read_array(members: Mapping[str, memoryview], node: Mapping[str, Any]) -> NDArray[Any]:
    """Return an array of a skops file as a view of its bytes; a ValueError says what is wrong."""
    if node["__loader__"] != "NdArrayNode" or node["type"] != "numpy":
        raise ValueError("an array that is not one of numbers")
    member = members[node["file"]]
    stream = io.BytesIO(member[: MAX_HEADER + 16])
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError("an array in another version of NumPy's format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, MAX_HEADER)
    size = len(member) - stream.tell()
    if dtype.hasobject or dtype.kind not in "biufV" or len(shape) > 3 or min(shape, default=0) < 0:
        raise ValueError("an array that is not one of numbers")
    if size != prod(shape) * dtype.itemsize or size > MAX_ARRAY:
        raise ValueError("an array that is too large, or not as large as it states")
    flat: NDArray[Any] = np.frombuffer(member, dtype, prod(shape), stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


def check_rest(file: SkopsFile) -> None:
    """Refuse more than a model has besides its trees or its booster; skops has all thrice."""
    if sum(len(file.members[name]) for name in set(_files(file.schema))) > MAX_REST:
        raise ValueError(f"it has more than {MAX_REST:,} bytes besides its trees")


def write_skops(schema: Node, members: Mapping[str, memoryview]) -> bytes:
    """Write a skops file of a schema, and of those members that it mentions."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name in dict.fromkeys(_files(schema)):
            target.writestr(zipfile.ZipInfo(name, EPOCH), bytes(members[name]))
        target.writestr(zipfile.ZipInfo(SCHEMA, EPOCH), json.dumps(schema, separators=(",", ":")))
    return out.getvalue()


def _files(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "__loader__" in value and "file" in value:
            yield value["file"]
        value = list(value.values())
    if isinstance(value, list):
        for child in value:
            yield from _files(child)
