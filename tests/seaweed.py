"""A real S3 server on free ports of this machine, for as long as a block lasts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from basketwise.config import AwsConfig

ACCESS_KEY, SECRET_KEY = "basketwise-tests", "no-secret-at-all"
READER_KEY = "basketwise-reader"
"""With the same secret; may read and list, and nothing else."""

REGION = "eu-west-1"
STARTS_WITHIN = 120.0
STOPS_WITHIN = 10.0
SERVICES = ("s3", "master", "volume", "filer")
CHEAP = {"GOMAXPROCS": "1", "GOGC": "400"}
"""Go's idle threads look for work, and its collector runs often: both take processor time from the
tests."""


@dataclass(frozen=True)
class S3Server:
    """Where the server answers, and what it takes to be let in."""

    endpoint_url: str
    access_key: str
    secret_key: str
    pid: int
    bucket: str
    """A bucket that all tests share, each below a prefix of its own."""

    @property
    def config(self) -> AwsConfig:
        """The settings that lead to it."""
        return AwsConfig(region=REGION, endpoint_url=self.endpoint_url)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that give its keys, and hide those of whoever runs the tests."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self) -> Any:
        """Return a client with its keys, whatever the environment says."""
        from botocore.config import Config

        options = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1})
        return _session().client("s3", endpoint_url=self.endpoint_url, config=options)

    def new_bucket(self) -> str:
        """Make an empty bucket; there is room for some: each takes seven volumes."""
        name = f"test-{uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def new_prefix(self) -> str:
        """Name a prefix of the shared bucket that nobody has used."""
        return f"tests/{uuid4().hex[:12]}"


@cache
def _session() -> Any:
    import boto3

    return boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION)


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """Run SeaweedFS with its files below ``folder``; stop it with its children."""
    data, ids, log = folder / "data", folder / "ids.json", folder / "server.log"
    data.mkdir(parents=True)
    key = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
    admin = {
        "name": "admin",
        "credentials": [key],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    reader = {
        "name": "reader",
        "credentials": [{"accessKey": READER_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Read", "List"],
    }
    ids.write_text(json.dumps({"identities": [admin, reader]}))
    ports = free_ports(2 * len(SERVICES))
    http, grpc = ports[: len(SERVICES)], ports[len(SERVICES) :]
    command = [
        *(str(Path(sys.executable).parent / "weed"), "server", f"-dir={data}"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.config={ids}", "-s3.iam=false"),
        *("-s3.allowDeleteBucketNotEmpty=false", "-volume.max=200"),
        *("-master.volumeSizeLimitMB=128", "-master.telemetry=false"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-{service}.port={port}" for service, port in zip(SERVICES, http, strict=True)),
        *(f"-{service}.port.grpc={port}" for service, port in zip(SERVICES, grpc, strict=True)),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | CHEAP | {"WEED_S3_SSE_KEY": "0" * 64},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{http[0]}"
        server = S3Server(url, ACCESS_KEY, SECRET_KEY, process.pid, "shared-by-tests")
        _wait(process, server, log)
        yield server
    finally:
        _stop(process)


def free_ports(count: int) -> list[int]:
    """Return different ports of 127.0.0.1 that nobody listens on now."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def _wait(process: subprocess.Popen[bytes], server: S3Server, log: Path) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    # It answers before it can keep anything, so only bytes that come back show that it is ready.
    client, end = server.client(), time.monotonic() + STARTS_WITHIN
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"weed server ended at once:\n{log.read_text()}")
        with suppress(BotoCoreError, ClientError):
            client.create_bucket(Bucket=server.bucket)
        with suppress(BotoCoreError, ClientError):
            client.put_object(Bucket=server.bucket, Key="ready", Body=b"ready")
            if client.get_object(Bucket=server.bucket, Key="ready")["Body"].read() == b"ready":
                return
        time.sleep(0.2)
    raise RuntimeError(f"weed server did not come up:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    # Killed: asked to end, it takes ten seconds, and its files are thrown away anyhow. It leads a
    # process group of its own, so its children go with it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOPS_WITHIN)
