"""A process that publishes a version; ``python -m tests.hostile.s3.publisher`` is killed by tests.

Arguments: the server as JSON, prefix, cache, number of the version, a folder for its files, and
a file that is made when it begins.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from basketwise.aws import s3
from tests.hostile.s3.versions import opened, publish
from tests.seaweed import S3Server


def main() -> None:
    """Publish."""
    facts, prefix, cache, number, folder, begun = sys.argv[1:]
    s3.PART = 5 << 20
    server = S3Server(**json.loads(facts))
    storage = opened(server.client(), server, prefix, Path(cache))
    Path(begun).touch()
    publish(storage, int(number), Path(folder))


if __name__ == "__main__":
    main()
