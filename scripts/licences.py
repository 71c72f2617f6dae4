"""List the licences of what a lock installs, as the installed packages state them.

    python scripts/licences.py [requirements/runtime.lock]

One line per package: name, version, licence. Of a package that states none, its file of the
licence is named; exits with 1 if there is none either.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
CLASSIFIER = "License :: OSI Approved :: "


def licence(package: Distribution) -> str:
    """Return what a package says: an SPDX expression, else its classifiers, else the first line."""
    stated = package.metadata
    expression = stated.get("License-Expression", "")
    classified = [
        text.removeprefix(CLASSIFIER)
        for text in stated.get_all("Classifier") or []
        if text.startswith(CLASSIFIER)
    ]
    text = (stated.get("License") or "").strip()
    files = ", ".join(stated.get_all("License-File") or [])
    return (
        expression
        or ", ".join(classified)
        or (text.splitlines()[0] if text else "")
        or (f"see its {files}" if files else "")
    )


def main(lock: Path) -> int:
    """Print the table; what is for another platform and so not installed is named below it."""
    absent, silent = [], []
    for name in sorted(set(PINNED.findall(lock.read_text(encoding="utf-8")))):
        try:
            package = distribution(name)
        except PackageNotFoundError:
            absent.append(name)
            continue
        text = licence(package)
        sys.stdout.write(f"{name:<36}{package.version:<18}{text or 'none stated'}\n")
        silent += [] if text else [name]
    if absent:
        sys.stdout.write(f"not installed here: {', '.join(absent)}\n")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "requirements/runtime.lock")))
