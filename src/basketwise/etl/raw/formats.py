"""Raw files by their paths: the format, why a file is skipped, and the columns of folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal
from urllib.parse import unquote

Kind = Literal["text", "jsonl", "parquet", "zip"]
Packing = Literal["", "gzip", "bz2", "xz", "zst"]

KINDS: dict[str, Kind] = {
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".zip": "zip",
}
PACKINGS: dict[str, Packing] = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zst"}
"""Compression of single text files; Parquet and zip have their own."""

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"

SUPPORTED = (
    ".csv, .tsv, .txt, .jsonl or .ndjson (also with .gz, .bz2, .xz or .zst), .parquet or .zip"
)

_WORKBOOK = (
    "a spreadsheet",
    "Export each sheet as CSV UTF-8; format long ids as text first, or digits are lost.",
)
_JSON = ("a JSON document", "Convert it to JSON Lines (.jsonl): one object per line.")
_ARCHIVE = ("an archive", "Extract it, or create a .zip instead.")
_TABLE = ("an unsupported format", "Export it as CSV or Parquet.")
_PACKED = ("an unsupported compression", "Decompress it, or use gzip.")
_PACKED_UNKNOWN = (
    "a compressed file of an unknown format",
    "If it contains a CSV, give it a double extension: lines.csv.gz.",
)
_UNKNOWN = ("an unknown extension", "If it is a CSV, rename it to end in .csv.")
_NESTED = ("a zip or Parquet file inside a zip", "Extract the outer zip.")

_REASONS: dict[str, tuple[str, str]] = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers"), _WORKBOOK),
    ".json": _JSON,
    **dict.fromkeys((".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".7z", ".rar"), _ARCHIVE),
    **dict.fromkeys((".z", ".lz4", ".br", ".sz", ".snappy", ".lzo", ".lzma"), _PACKED),
    **dict.fromkeys(
        (
            *(".avro", ".orc", ".feather", ".arrow", ".ipc", ".xml", ".pkl", ".pickle", ".npy"),
            *(".sas7bdat", ".sav", ".dta", ".rds", ".rdata", ".h5", ".hdf5", ".dbf"),
            *(".db", ".sqlite", ".sqlite3", ".duckdb", ".mdb", ".accdb"),
        ),
        _TABLE,
    ),
}
_DOCUMENTS = (
    ".pdf .md .rst .doc .docx .rtf .odt .ppt .pptx .html .htm .css .js .png .jpg .jpeg .gif .svg "
    ".py .ipynb .sql .r .sh .bat .log .toml .yaml .yml .ini .cfg .eml .msg .url .lnk"
)
_BOOKKEEPING = frozenset((".crc", ".md5", ".sha1", ".sha256", ".sha512", ".asc", ".sig"))
_SUMS = ("checksums", "md5sums", "sha1sums", "sha256sums", "sha512sums")
_BOOKKEEPING_STEMS = frozenset(
    ("readme", "license", "licence", "changelog", "thumbs", "desktop", *_SUMS)
)


@dataclass(frozen=True)
class Format:
    """The format of a file."""

    kind: Kind
    packing: Packing = ""


@dataclass(frozen=True)
class SkipReason:
    """Why a file is skipped, and the fix; ``is_data``: whether it may contain till lines."""

    reason: str
    hint: str
    is_data: bool = True


def format_of(name: str) -> Format | None:
    """Return the format of a file; None if it is not supported.

    Examples
    --------
    >>> format_of("week.TSV.bz2")
    Format(kind='text', packing='bz2')
    >>> format_of("week.parquet.gz") is None
    True
    """
    stem, suffix = _split(name)
    packing = PACKINGS.get(suffix, "")
    kind = KINDS.get(_split(stem)[1] if packing else suffix)
    if kind is None or (packing and kind not in ("text", "jsonl")):
        return None
    return Format(kind, packing)


def skip_reason(name: str, *, within_zip: bool = False) -> SkipReason | None:
    """Return why a file is skipped; None for files that are no part of the data.

    Examples
    --------
    >>> skip_reason("January.xlsx").reason
    'a spreadsheet'
    >>> skip_reason("_SUCCESS") is None
    True
    """
    stem, suffix = _split(name)
    if is_bookkeeping(name):
        return None
    if suffix and suffix in _DOCUMENTS.split():
        return SkipReason("a document", "", is_data=False)
    if suffix in PACKINGS:
        inner = _split(stem)[1]
        given = _ARCHIVE if inner == ".tar" else _PACKED_UNKNOWN
        return SkipReason(*_REASONS.get(inner, given))
    if within_zip and format_of(name):
        return SkipReason(*_NESTED)
    return SkipReason(*_REASONS.get(suffix, _UNKNOWN))


def is_bookkeeping(name: str) -> bool:
    """Whether a file is hidden, or no part of the data: Spark's markers, checksums, a README."""
    stem, suffix = _split(name)
    return (
        name.startswith(".")
        or suffix in _BOOKKEEPING
        or stem in _BOOKKEEPING_STEMS
        or (name.startswith("_") and format_of(name) is None)
    )


def is_txt(name: str) -> bool:
    """Whether a file is ``.txt``, compressed or not: it can be a note as well as a table."""
    stem, suffix = _split(name)
    return (_split(stem)[1] if suffix in PACKINGS else suffix) == ".txt"


def relative_name(path: PurePath) -> str:
    """Return a file's path relative to the outermost of its ``column=value`` folders."""
    parts = [path.name]
    for folder in path.parents:
        if not partition_of(folder.name):
            break
        parts.insert(0, folder.name)
    return "/".join(parts)


def partition_of(folder: str) -> tuple[str, str | None] | None:
    """Return the column and the value of a ``column=value`` folder; None for other folders."""
    column, equals, value = folder.partition("=")
    if not equals or not column or column.startswith((".", "_")):
        return None
    text = unquote(value)
    return unquote(column), None if text == HIVE_NULL else text


def partitions_of(path: PurePath) -> dict[str, str | None]:
    """Return the columns of a file's ``column=value`` folders, outermost first."""
    *folders, _ = relative_name(path).split("/")
    return dict(filter(None, map(partition_of, folders)))


def _split(name: str) -> tuple[str, str]:
    path = PurePath(name.lower())
    return path.stem, path.suffix
