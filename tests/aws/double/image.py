"""What stands for a container image: this environment, with a `pip` that installs offline.

The `pip` of AWS's image would fetch the locked libraries from a package index; they are those of
this environment. So here it only checks that every line of the lock is held to a hash. The wheel it
does install, apart from this environment: the job runs the code that was uploaded for it. It says
what it did even if it is to be quiet (-q): tests read that in a job's log.
"""

from __future__ import annotations

import sys
from pathlib import Path

PIP = """\
#!{python}
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
    zipfile.ZipFile(wheel).extractall({site!r})
    print(f"installed {{wheel.name}}")
"""


def install_shims(root: Path) -> Path:
    """Write the commands that differ from this environment's; returns their folder."""
    folder = root.with_suffix(".bin")
    folder.mkdir(exist_ok=True)
    text = PIP.format(python=sys.executable, site=str(site_of(root)))
    (folder / "pip").write_text(text)
    (folder / "pip").chmod(0o755)
    temporary_of(root).mkdir(exist_ok=True)
    return folder


def temporary_of(root: Path) -> Path:
    """Return the container's folder for what is temporary."""
    return root.with_suffix(".tmp")


def site_of(root: Path) -> Path:
    """Return where `pip` puts a wheel's files."""
    return root.with_suffix(".site")
