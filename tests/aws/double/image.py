"""What stands for a container image: this environment, with a `pip` that installs offline.

The `pip` of AWS's image would fetch the locked libraries from a package index; they are those of
this environment. So here it only checks that every line of the lock is held to a hash. The wheel it
does install, apart from this environment: the job runs the code that was uploaded for it. It says
what it did even if it is to be quiet (-q): tests read that in a job's log. Jobs with the same wheel
share what is unpacked of it, so that Python compiles it once.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from basketwise.aws.requests.entry import MODULE, RUN_SCRIPT
from tests.aws.double.mounts import Mount, enter, inside, may_mount
from tests.warm import WarmProcess

PIP = """\
#!{python}
import hashlib
import os
import re
import sys
import zipfile
from pathlib import Path

arguments = sys.argv[1:]
if arguments[0] != "install":
    sys.exit(f"pip {{arguments[0]}} is not known here")
if "--require-hashes" in arguments:
    text = Path(arguments[arguments.index("-r") + 1]).read_text()
    pins = re.findall(r"^[a-zA-Z0-9_.-]+==\\S+", text, re.M)
    pieces = re.split(r"^(?=[a-zA-Z0-9])", text, flags=re.M)
    bare = [piece for piece in pieces if "==" in piece and "--hash=sha256:" not in piece]
    if not pins or bare:
        sys.exit(f"not every requirement has a hash: {{bare[:1]}}")
    print(f"{{len(pins)}} requirements are met")
else:
    if "--no-deps" not in arguments:
        sys.exit("the wheel must not bring libraries of its own")
    wheel = Path(arguments[-1])
    unpacked = Path({wheels!r}, hashlib.sha256(wheel.read_bytes()).hexdigest()[:16])
    if not unpacked.is_dir():
        half = unpacked.with_name(f"{{unpacked.name}}-{{os.getpid()}}")
        zipfile.ZipFile(wheel).extractall(half)
        half.rename(unpacked)
    Path({site!r}).unlink(missing_ok=True)
    Path({site!r}).symlink_to(unpacked)
    print(f"installed {{wheel.name}}")
"""


SUBMIT = """\
#!{python}
import os
import subprocess
import sys

from pysail.spark import SparkConnectServer

server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
host, port = server.listening_address
# As AWS's does, without quotes.
command = " ".join([sys.executable, *sys.argv[1:]])
remote = {{"SPARK_REMOTE": f"sc://{{host}}:{{port}}"}}
done = subprocess.run(command, shell=True, env=os.environ | remote)
server.stop()
sys.exit(done.returncode)
"""
"""In place of ``smspark-submit``: a server of Spark Connect instead of a cluster of YARN."""


@cache
def unpacked_wheels() -> Path:
    """Return where each wheel that jobs of this process install is unpacked once."""
    folder = tempfile.mkdtemp(prefix="wheels-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def install_shims(root: Path) -> Path:
    """Write the commands that differ from this environment's; returns their folder."""
    folder = root.with_suffix(".bin")
    folder.mkdir(exist_ok=True)
    wheels = str(unpacked_wheels())
    text = PIP.format(python=sys.executable, site=str(site_of(root)), wheels=wheels)
    shims = {"pip": text, "pip3": text, "smspark-submit": SUBMIT.format(python=sys.executable)}
    for name, content in shims.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o755)
    temporary_of(root).mkdir(exist_ok=True)
    return folder


def temporary_of(root: Path) -> Path:
    """Return the container's folder for what is temporary."""
    return root.with_suffix(".tmp")


def site_of(root: Path) -> Path:
    """Return where `pip` puts a wheel's files."""
    return root.with_suffix(".site")


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    root: Path,
    log: Path,
    *,
    mounts: Sequence[Mount],
    warm: bool,
) -> subprocess.Popen[bytes] | WarmProcess:
    """Start what a container runs, with its output at the end of ``log``.

    Parameters
    ----------
    mounts
        Folders that are mounts of their own, where this process may make any.
    warm
        Whether a process that has the libraries already does what ``run.sh`` would do, instead of
        a shell and three processes that start from nothing.
    """
    if warm and Path(command[1]).name == RUN_SCRIPT:
        code, pip = Path(command[1]).parent, shutil.which("pip", path=environment["PATH"])
        install = [str(pip), "install", "-q", "--no-deps"]
        lock = ["--require-hashes", "-r", str(code / "requirements.txt")]
        return WarmProcess(
            MODULE[-1],
            command[2:],
            environment=environment,
            cwd=root,
            stdout=log,
            stderr=log,
            first=[[*install, *lock], [*install, *map(str, code.glob("*.whl"))]],
            enter=partial(enter, mounts) if may_mount() else None,
        )
    with log.open("ab") as output:
        return subprocess.Popen(
            inside(mounts, command) if may_mount() else command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=root,
            start_new_session=True,
        )
