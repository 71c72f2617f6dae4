"""A script that asks a new deployment for the example's answer, and compares it."""

from __future__ import annotations

import json
from importlib import resources

from basketwise.deploy.approved import ApprovedModel

SCRIPT, EXAMPLE = "smoke_test.py", "example.json"


def smoke_test(model: ApprovedModel) -> dict[str, str]:
    """Return the script, and the example that it reads, by file name."""
    example = {
        "group": model.group,
        "version": model.version,
        "sha256": model.sha256,
        "request": model.example.request,
        "answer": model.example.answer,
    }
    script = resources.files(__package__).joinpath(f"templates/example/{SCRIPT}")
    return {
        SCRIPT: script.read_text("utf-8"),
        EXAMPLE: json.dumps(example, indent=2, allow_nan=False) + "\n",
    }
