"""One container on one machine: a service of Docker Compose."""

from __future__ import annotations

from pathlib import Path

from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.docker import build_context
from basketwise.deploy.options import Options
from basketwise.deploy.rendering import render
from basketwise.deploy.smoke_test import smoke_test
from basketwise.deploy.writing import Files

CONTEXT = "image"
PORT = 8080
"""On this machine's loopback interface."""


def compose_files(model: ApprovedModel, options: Options, folder: Path) -> Files:
    """Return ``compose.yaml``, and what its image is built from unless that is given."""
    compose = render(
        "compose/compose.yaml",
        group=model.group,
        version=model.version,
        sha256=model.sha256,
        tag=model.tag,
        name=options.name,
        base=options.base,
        image=options.image,
        port=PORT,
    )
    context = {} if options.image else build_context(model, options, folder)
    return {
        "compose.yaml": compose,
        **smoke_test(model),
        ".gitignore": "secrets/\n",
        **{f"{CONTEXT}/{name}": source for name, source in context.items()},
    }
