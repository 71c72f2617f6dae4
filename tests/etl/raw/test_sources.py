import gzip
import hashlib
from pathlib import Path

from basketwise.etl.raw.discovery import list_files
from basketwise.etl.raw.sources import digests


def test_digest_is_of_the_bytes_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"lines"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digests(list_files(str(tmp_path))) == {"a.csv.gz": digest}


def test_data_that_was_not_read_is_told_but_documents_are_not(tmp_path: Path) -> None:
    for name in ("a.csv", "b.xlsx", "c.pdf"):
        (tmp_path / name).write_bytes(b"")
    contents = digests(list_files(str(tmp_path)))
    assert list(contents) == ["a.csv", "b.xlsx"]
    assert contents["b.xlsx"] == "skipped"
