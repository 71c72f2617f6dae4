from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.compose import compose_files
from basketwise.deploy.options import Options

DIGEST = "sha256:" + "2" * 64


def service(text: object) -> dict[str, Any]:
    document = yaml.safe_load(str(text))
    assert list(document["services"]) == ["api"]
    found = document["services"]["api"]
    assert isinstance(found, dict)
    return found


def test_the_service_has_no_rights_that_it_does_not_need(
    model: ApprovedModel, tmp_path: Path
) -> None:
    api = service(compose_files(model, Options(), tmp_path)["compose.yaml"])
    assert api["read_only"] is True
    assert api["cap_drop"] == ["ALL"]
    assert api["security_opt"] == ["no-new-privileges:true"]
    assert api["user"] == "10001:10001"
    assert api["tmpfs"] == ["/tmp:mode=1777,size=256m"]  # noqa: S108
    assert api["ports"] == ["127.0.0.1:8080:8080"]
    assert api["command"][-2:] == ["--token-file", "/run/secrets/token"]
    assert "environment" not in api
    assert "privileged" not in api


def test_without_an_image_it_is_built_beside(model: ApprovedModel, tmp_path: Path) -> None:
    files = compose_files(model, Options(), tmp_path)
    api = service(files["compose.yaml"])
    assert api["image"] == f"retail-api:{model.tag}"
    assert api["build"]["context"] == "image"
    assert api["build"]["args"]["BASE"].startswith("${BASE:?")
    assert {"image/Dockerfile", "image/model.tar.gz"} <= set(files)


def test_an_image_is_pulled_by_its_digest(model: ApprovedModel, tmp_path: Path) -> None:
    image = f"registry.example.com/retail-api@{DIGEST}"
    files = compose_files(model, Options(image=image), tmp_path)
    api = service(files["compose.yaml"])
    assert api["image"] == image
    assert "build" not in api
    assert set(files) == {"compose.yaml", ".gitignore", "smoke_test.py", "example.json"}


def test_it_is_of_composes_schema(model: ApprovedModel, tmp_path: Path) -> None:
    paths = []
    for number, options in enumerate((Options(), Options(image=f"retail-api@{DIGEST}"))):
        paths.append(tmp_path / f"{number}.yaml")
        text = str(compose_files(model, options, tmp_path)["compose.yaml"])
        paths[-1].write_text(text, encoding="utf-8")
    command = str(Path(sys.executable).with_name("check-jsonschema"))
    subprocess.run(
        [command, "--builtin-schema", "vendor.compose-spec", *map(str, paths)], check=True
    )


def test_the_token_can_be_read_by_the_container_alone(tmp_path: Path, model: ApprovedModel) -> None:
    files = compose_files(model, Options(), tmp_path)
    commands = [line[1:].strip() for line in str(files["compose.yaml"]).splitlines()[:6]]
    making = next(line for line in commands if line.startswith("mkdir"))
    subprocess.run(["sh", "-c", f"umask 077; {making}"], cwd=tmp_path, check=True)
    token = tmp_path / "secrets" / "token"
    assert (token.parent.stat().st_mode & 0o777, token.stat().st_mode & 0o777) == (0o700, 0o644)
    assert len(token.read_text(encoding="utf-8").strip()) == 64
    assert files[".gitignore"] == "secrets/\n"
