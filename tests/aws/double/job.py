"""One job: its folders, its process, its states."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.aws.double import image
from tests.aws.double.mounts import Mount
from tests.aws.double.objects import download, upload
from tests.fakes.model_registry import ACCOUNT, REGION
from tests.warm import WarmProcess

BASE = "/opt/ml"
SYNC_SECONDS = 0.1
GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL; two minutes on AWS."""

MAX_REASON = 1024
KEPT = ("HOME", "LANG", "LD_LIBRARY_PATH")
"""Of this machine's variables, those that a job's process sees too."""

ROLE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
"""What a job gets of its role, here of whoever started it: its processes may call S3."""


@dataclass
class Job:
    """A processing or a training job.

    Attributes
    ----------
    kind
        ``Processing`` or ``Training``.
    request
        As it was checked.
    root
        What stands for ``/opt/ml``.
    pause
        Seconds in each state besides what its work takes.
    warm
        Whether its process finds the libraries imported, see :func:`image.start`.
    phases
        The states that a training shows, in order.
    """

    kind: str
    request: dict[str, Any]
    root: Path
    s3: Any
    pause: float = 0.0
    warm: bool = True
    status: str = "InProgress"
    phases: list[str] = field(default_factory=lambda: ["Starting"])
    reason: str = ""
    message: str = ""
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    worked: float = 0.0
    process: subprocess.Popen[bytes] | WarmProcess | None = None
    stopping: bool = False
    interrupted: bool = False

    @property
    def name(self) -> str:
        name = self.request[f"{self.kind}JobName"]
        assert isinstance(name, str)
        return name

    @property
    def log(self) -> Path:
        return self.root.with_suffix(".log")

    @property
    def working(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def model_data_url(self) -> str:
        path = self.request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        return f"{path}/{self.name}/output/model.tar.gz"

    def run(self) -> None:
        """Work until the job has ended, through every interruption."""
        # Basketwise runs in the job's process alone, so coverage need not follow this thread.
        sys.settrace(None)
        try:
            while True:
                self._once()
                if not self.interrupted or self.stopping:
                    break
                self.interrupted = False
                self.phases += ["Interrupted", "Starting"]
        except Exception as error:
            self.end("Failed", f"InternalServerError: {error}")

    def stop(self) -> None:
        self.stopping = True
        self.status = "Stopping"
        self._terminate()

    def interrupt(self) -> None:
        """Take the spot instance away."""
        self.interrupted = True
        self._terminate()

    def freeze(self) -> None:
        """Hold the process where it is, until it is thawed or terminated."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGCONT)

    def end(self, status: str, reason: str = "") -> None:
        self.reason, self.ended = reason, time.time()
        self.phases.append(status)
        self.status = status

    def _terminate(self) -> None:
        process = self.process
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        os.killpg(process.pid, signal.SIGCONT)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)

    def _once(self) -> None:
        time.sleep(self.pause)
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        self._enter("Downloading")
        missing = self._download_inputs()
        if missing:
            return self.end("Failed", f"ClientError: No S3 objects found under {missing}")
        self._enter("Training" if self.kind == "Training" else "Processing")
        code = self._execute()
        if self.interrupted and not self.stopping:
            return None
        if self.stopping:
            return self.end("Stopped")
        self._enter("Uploading")
        if code:
            message = self._failure_message()
            self.message = message if self.kind == "Processing" else ""
            shown = message if self.kind == "Training" else ""
            return self.end("Failed", f"AlgorithmError: {shown}, exit code: {code}")
        self._upload_outputs()
        return self.end("Completed")

    def _enter(self, phase: str) -> None:
        self.phases.append(phase)
        time.sleep(self.pause)

    def _download_inputs(self) -> str:
        """Lay out the inputs; returns the prefix that holds nothing, if one does."""
        for uri, path in self._inputs():
            path.mkdir(parents=True, exist_ok=True)
            if download(self.s3, uri, path) == 0:
                return uri
        for folder in ("model", "output/data", "output", "input/config", "input/data"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        if self.kind == "Training":
            config = self.root / "input/config"
            hyperparameters = self.request.get("HyperParameters", {})
            (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
            (config / "resourceconfig.json").write_text(
                json.dumps({"current_host": "localhost", "hosts": ["localhost"]})
            )
            checkpoint = self.request.get("CheckpointConfig")
            if checkpoint:
                path = self._local(checkpoint.get("LocalPath", f"{BASE}/checkpoints"))
                path.mkdir(parents=True, exist_ok=True)
                download(self.s3, checkpoint["S3Uri"], path)
        for output in self._processing_outputs():
            self._local(output["LocalPath"]).mkdir(parents=True, exist_ok=True)
        return ""

    def _inputs(self) -> list[tuple[str, Path]]:
        if self.kind == "Processing":
            return [
                (item["S3Input"]["S3Uri"], self._local(item["S3Input"]["LocalPath"]))
                for item in self.request.get("ProcessingInputs", [])
            ]
        return [
            (
                channel["DataSource"]["S3DataSource"]["S3Uri"],
                self.root / "input/data" / channel["ChannelName"],
            )
            for channel in self.request["InputDataConfig"]
        ]

    def _processing_outputs(self) -> list[dict[str, Any]]:
        outputs = self.request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        return [output["S3Output"] for output in outputs]

    def _local(self, path: str) -> Path:
        return self.root / Path(path).relative_to(BASE)

    def _execute(self) -> int:
        key = "AppSpecification" if self.kind == "Processing" else "AlgorithmSpecification"
        specification = self.request[key]
        command = [
            *specification["ContainerEntrypoint"],
            *specification.get("ContainerArguments", []),
        ]
        command = [part.replace(BASE, str(self.root)) for part in command]
        begun = time.time()
        self.started = self.started or begun
        stop_syncing = threading.Event()
        syncing = threading.Thread(target=self._sync, args=(stop_syncing,))
        syncing.start()
        self.process = image.start(
            command,
            self._environment(),
            self.root,
            self.log,
            mounts=self._mounts(),
            warm=self.warm,
        )
        if self.stopping or self.interrupted:
            self._terminate()
        code = self.process.wait()
        stop_syncing.set()
        syncing.join()
        self.worked += time.time() - begun
        return code

    def _mounts(self) -> list[Mount]:
        """List the job's folders: inputs and outputs, each by itself, and the reason's."""
        inputs = [path for _, path in self._inputs()]
        outputs = [self._local(output["LocalPath"]) for output in self._processing_outputs()]
        outputs.append(self.root / "output")
        if self.kind == "Training":
            inputs.append(self.root / "input/config")
            outputs += [self.root / "model", self.root / "output/data"]
            if checkpoint := self.request.get("CheckpointConfig"):
                outputs.append(self._local(checkpoint.get("LocalPath", f"{BASE}/checkpoints")))
        return [
            *((str(path), True) for path in inputs),
            *((str(path), False) for path in outputs),
        ]

    def _environment(self) -> dict[str, str]:
        settings = {name: str(value) for name, value in self.request.get("Environment", {}).items()}
        shims = image.install_shims(self.root)
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{self.kind.lower()}-job/{self.name}"
        own = {"PROCESSING_JOB_ARN": arn}
        if self.kind == "Training":
            own = {"TRAINING_JOB_NAME": self.name, "TRAINING_JOB_ARN": arn}
        return {
            **{name: os.environ[name] for name in (*KEPT, *ROLE) if name in os.environ},
            "PATH": f"{shims}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(image.site_of(self.root)),
            "TMPDIR": str(image.temporary_of(self.root)),
            "SAGEMAKER_BASE_DIR": str(self.root),
            "AWS_REGION": REGION,
            **own,
            **settings,
        }

    def _sync(self, stop: threading.Event) -> None:
        checkpoint = self.request.get("CheckpointConfig")
        sent: dict[Path, float] = {}
        while checkpoint:
            ended = stop.wait(SYNC_SECONDS)
            path = self._local(checkpoint.get("LocalPath", f"{BASE}/checkpoints"))
            try:
                upload(self.s3, path, checkpoint["S3Uri"], sent)
            except OSError:
                # A file went between the listing and the reading; the next round has the rest.
                continue
            if ended:
                break

    def _upload_outputs(self) -> None:
        for output in self._processing_outputs():
            upload(self.s3, self._local(output["LocalPath"]), output["S3Uri"])
        if self.kind == "Training":
            packed = self.root.with_suffix(".out") / "model.tar.gz"
            packed.parent.mkdir(exist_ok=True)
            with tarfile.open(packed, "w:gz") as tar:
                tar.add(self.root / "model", arcname=".")
            upload(self.s3, packed.parent, self.model_data_url.rpartition("/")[0])

    def _failure_message(self) -> str:
        path = self.root / "output" / ("failure" if self.kind == "Training" else "message")
        return path.read_text()[:MAX_REASON].strip() if path.is_file() else ""
