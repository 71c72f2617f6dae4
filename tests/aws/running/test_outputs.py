"""What a job left in the bucket, held against its record without being downloaded."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from basketwise.aws.running.jobs import JobState
from basketwise.aws.running.outputs import InvalidOutputError, take_record
from basketwise.aws.storage.storage import S3Storage
from basketwise.config import Config
from basketwise.run.record import file_name, planned, read_step, seal

FILES = {"shop_week=200607/part-0.parquet": b"1", "shop_week=200608/part-0.parquet": b"2"}


def left(storage: S3Storage, folder: Path) -> JobState:
    """Leave silver as a job does: SageMaker uploads files without a sha256."""
    for name, data in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    seal(planned("silver", {"raw/w.csv": "1" * 64}, Config()), folder)
    for path in folder.rglob("*.*"):
        put(storage, f"silver/{path.relative_to(folder).as_posix()}", path.read_bytes())
    now = datetime.now(UTC)
    times = ((now + timedelta(minutes=minutes)).isoformat() for minutes in (-1, 1))
    return JobState("etl-run-7", "Completed", began=next(times), ended=next(times))


def put(storage: S3Storage, key: str, data: bytes) -> None:
    bucket = storage.bucket
    bucket.client.put_object(Bucket=bucket.name, Key=bucket.full(key), Body=data)


def taken(storage: S3Storage, state: JobState, out: Path) -> Counter[str]:
    """Take the record, and count the requests by name."""
    counts: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        counts[model.name] += 1

    events = storage.bucket.client.meta.events
    events.register("before-call.s3", count, unique_id="count")
    out.mkdir(exist_ok=True)
    try:
        take_record("silver", state, storage, storage.bucket, out, {"w.csv": "1" * 64})
    finally:
        events.unregister("before-call.s3", count, unique_id="count")
    return counts


def test_a_stage_is_listed_once_and_nothing_of_it_is_read(
    storage: S3Storage, tmp_path: Path
) -> None:
    state = left(storage, tmp_path / "job")
    counts = taken(storage, state, tmp_path / "out")
    # The other list looks for the record.
    assert counts["ListObjectsV2"] == 2
    assert counts["HeadObject"] == 0
    assert storage.downloaded == 0
    step = read_step("silver", tmp_path / "out")
    assert step is not None
    assert storage.digests("silver").items() >= step.outputs.items()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [file_name("silver")]


def test_what_others_wrote_since_counts_if_it_has_the_same_bytes(
    storage: S3Storage, tmp_path: Path
) -> None:
    state = replace(left(storage, tmp_path / "job"), ended="2020-01-01T00:00:00+00:00")
    storage.write(f"silver/{min(FILES)}", FILES[min(FILES)])
    taken(storage, state, tmp_path / "out")
    put(storage, f"silver/{max(FILES)}", b"3")
    with pytest.raises(InvalidOutputError, match=f"silver/{max(FILES)} was changed after the job"):
        taken(storage, state, tmp_path / "out")


def test_a_file_that_is_gone_and_a_missing_record_are_no_output(
    storage: S3Storage, tmp_path: Path
) -> None:
    state = left(storage, tmp_path / "job")
    storage.delete(f"silver/{min(FILES)}")
    with pytest.raises(InvalidOutputError, match=f"silver/{min(FILES)} was changed after the job"):
        taken(storage, state, tmp_path / "out")
    storage.delete("silver")
    with pytest.raises(InvalidOutputError, match="silver has no record"):
        taken(storage, state, tmp_path / "other")
