"""A build context: Dockerfile, the locked packages, this very code, and the model."""

from __future__ import annotations

from pathlib import Path

from basketwise.artifact.wheel import write_wheel
from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.library import lock_text
from basketwise.deploy.options import Options
from basketwise.deploy.rendering import render
from basketwise.deploy.smoke_test import smoke_test
from basketwise.deploy.writing import Files
from basketwise.files import ARCHIVE
from basketwise.registry.deployment import LATEST

DOCKERFILE = "Dockerfile"
LOCK = "requirements.lock"


def docker_files(model: ApprovedModel, options: Options, folder: Path) -> Files:
    """Return a build context, and what tries the server that it becomes."""
    return {**build_context(model, options, folder), **smoke_test(model)}


def build_context(model: ApprovedModel, options: Options, folder: Path) -> Files:
    """Return the files of ``docker build``; the wheel of this code is written into ``folder``."""
    wheel = write_wheel(folder)
    values = {
        "group": model.group,
        "version": model.version,
        "sha256": model.sha256,
        "tag": model.tag,
        "name": options.name,
        "base": options.base,
        "wheel": wheel.name,
    }
    return {
        DOCKERFILE: render("docker/Dockerfile", **values),
        ".dockerignore": render("docker/dockerignore", **values),
        LOCK: lock_text(model.library),
        wheel.name: wheel,
        ARCHIVE: model.archive,
        LATEST: model.document,
    }
