"""The workflow: its schema, its rights, and every line of shell in it, with stand-ins on PATH."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from basketwise import __version__
from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.github import workflow_files
from basketwise.deploy.options import Options

BIN = Path(sys.executable).parent
NAME = ".github/workflows/retail-api.yml"
FULL = Options(host="scores.example.com", role_arn="arn:aws:iam::123456789012:role/retail-api")
REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlops/retail-api"
DIGEST = "sha256:" + "5" * 64
OWN_WORKFLOWS = Path(__file__).parents[2] / ".github" / "workflows"


@pytest.fixture(scope="module", params=[Options(), FULL], ids=["plain", "full"])
def text(model: ApprovedModel, request: pytest.FixtureRequest) -> str:
    return str(workflow_files(model, request.param, Path())[NAME])


@pytest.fixture(scope="module")
def workflow(text: str) -> dict[str, Any]:
    document = yaml.safe_load(text)
    assert isinstance(document, dict)
    return document


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def command(workflow: dict[str, Any], start: str) -> str:
    found = [step["run"] for step in steps(workflow) if step.get("name", "").startswith(start)]
    assert found, start
    return str(found[-1])


def test_github_accepts_it(model: ApprovedModel, tmp_path: Path) -> None:
    paths = []
    for number, options in enumerate((Options(), FULL)):
        paths.append(tmp_path / f"{number}.yml")
        text = str(workflow_files(model, options, tmp_path)[NAME])
        paths[-1].write_text(text, encoding="utf-8")
    check = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows"]
    subprocess.run([*check, *map(str, paths)], check=True, capture_output=True)


def test_no_job_runs_for_ever(workflow: dict[str, Any]) -> None:
    assert all(job["timeout-minutes"] <= 120 for job in workflow["jobs"].values())


def test_it_has_no_key_and_few_rights(text: str, workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert "secrets." not in text
    assert "aws-access-key" not in text
    # Nothing that an event brings reaches a shell; variables come through the environment.
    assert not [step for step in steps(workflow) if "${{" in step.get("run", "")]
    assert "github.event." not in text
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"] == {"persist-credentials": False}


def test_actions_are_pinned_as_the_projects_own_are(workflow: dict[str, Any]) -> None:
    own = "".join(path.read_text(encoding="utf-8") for path in OWN_WORKFLOWS.glob("*.yml"))
    used = {step["uses"] for step in steps(workflow) if "uses" in step}
    assert used - set(re.findall(r"uses: (\S+)", own)) == {
        "aws-actions/configure-aws-credentials@v6"
    }
    assert f"'basketwise[aws]=={__version__}'" in command(workflow, "Install")


def test_every_variable_is_explained(text: str) -> None:
    explained = set(re.findall(r"^#   ([A-Z_]+) +\S", text, re.MULTILINE))
    assert set(re.findall(r"vars\.([A-Z_]+)", text)) == explained


def test_every_command_is_a_shells(workflow: dict[str, Any]) -> None:
    for step in steps(workflow):
        if "run" in step:
            subprocess.run(["bash", "-n", "-c", step["run"]], check=True)


class Runner:
    """Runs a step as GitHub does; programs are stand-ins that note how they were called."""

    def __init__(self, root: Path) -> None:
        self.root, self.calls, self.output = root, root / "calls", root / "output"
        self.bin = root / "bin"
        self.bin.mkdir()

    def program(self, name: str, script: str = "") -> None:
        path = self.bin / name
        text = f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{script}\n'
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def run(self, command: str, **environment: str) -> int:
        self.calls.write_text("", encoding="utf-8")
        self.output.write_text("", encoding="utf-8")
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
            env={"PATH": path, "GITHUB_OUTPUT": str(self.output), **environment},
            cwd=self.root,
            check=False,
            capture_output=True,
        )
        return done.returncode

    @property
    def called(self) -> list[str]:
        return self.calls.read_text(encoding="utf-8").splitlines()

    @property
    def outputs(self) -> dict[str, str]:
        lines = self.output.read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_the_data_is_checked_and_the_gate_decides(workflow: dict[str, Any], runner: Runner) -> None:
    runner.program("basketwise", "exit 1")
    data = {"DATA": "s3://a bucket/raw/"}
    assert runner.run(command(workflow, "Check the data"), **data) == 1
    assert runner.called == ["basketwise doctor --data s3://a bucket/raw/"]
    assert runner.run(command(workflow, "Train"), **data) == 1
    assert runner.called == ["basketwise run --data s3://a bucket/raw/ --require-approval --json"]
    deploy = workflow["jobs"]["deploy"]
    assert deploy["needs"] == "train"
    assert "needs.train.result == 'success'" in deploy["if"]


def test_the_image_is_named_after_the_model(workflow: dict[str, Any], runner: Runner) -> None:
    rendered = json.dumps({"version": "3", "tag": "3-0123456789ab"})
    runner.program("basketwise", f"echo '{rendered}'")
    # As the real one, for this one filter.
    runner.program("jq", f"exec {sys.executable} -c \"print('version=3'); print('tag=3-01')\"")
    assert runner.run(command(workflow, "Render the image"), BASE_IMAGE=f"python@{DIGEST}") == 0
    assert runner.called[0] == (
        "basketwise deploy render --to docker --out context --name retail-api "
        f"--base python@{DIGEST} --json"
    )
    assert runner.outputs == {"version": "3", "tag": "3-01"}


AWS = f"""
case "$1 $2" in
    "ecr describe-images") test -e pushed && echo {DIGEST} ;;
    "ecr get-login-password") echo secret ;;
esac
"""


def test_an_image_is_built_once_and_named_by_its_digest(
    workflow: dict[str, Any], runner: Runner
) -> None:
    runner.program("aws", AWS)
    runner.program("docker", 'case "$1" in push) touch pushed ;; login) cat >password ;; esac')
    build, names = command(workflow, "Build"), {"REPOSITORY": REPOSITORY, "TAG": "3-01"}
    for docker in (3, 0):
        assert runner.run(build, **names) == 0
        assert runner.outputs == {"image": f"{REPOSITORY}@{DIGEST}"}
        assert len([call for call in runner.called if call.startswith("docker")]) == docker
    assert (runner.root / "password").read_text(encoding="utf-8") == "secret\n"
    assert "aws ecr describe-images --repository-name mlops/retail-api" in runner.called[0]


def test_a_failed_push_ends_it(workflow: dict[str, Any], runner: Runner) -> None:
    runner.program("aws", AWS)
    runner.program("docker", '[ "$1" != push ]')
    build = command(workflow, "Build")
    assert runner.run(build, REPOSITORY=REPOSITORY, TAG="3-01") != 0
    assert runner.outputs == {}


def test_the_manifests_name_the_image_by_its_digest(
    text: str, workflow: dict[str, Any], runner: Runner
) -> None:
    for name in ("basketwise", "aws", "kubectl"):
        runner.program(name)
    image = f"{REPOSITORY}@{DIGEST}"
    assert runner.run(command(workflow, "Render the man"), IMAGE=image, CLUSTER="shop") == 0
    render, configure = runner.called
    more = " --host scores.example.com --role-arn " + FULL.role_arn if "scores." in text else ""
    assert render == (
        f"basketwise deploy render --to kubernetes --out manifests --image {image} "
        f"--name retail-api --namespace mlops{more}"
    )
    assert configure == "aws eks update-kubeconfig --name shop"
    assert runner.run(command(workflow, "Roll out")) == 0
    assert runner.called == [
        "kubectl apply --kustomize manifests",
        "kubectl --namespace mlops rollout status deployment/retail-api --timeout 10m",
    ]


KUBECTL = 'case "$*" in *secret*) printf dG9rZW4= ;; *port-forward*) exec sleep 60 ;; esac'


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_answer_is_asked_for_with_the_token(
    workflow: dict[str, Any], runner: Runner, code: int
) -> None:
    runner.program("kubectl", KUBECTL)
    runner.program(
        "python", f'echo "token $BASKETWISE_SERVE_TOKEN" >>"{runner.calls}"; exit {code}'
    )
    assert runner.run(command(workflow, "Ask")) == code
    assert "token token" in runner.called
    assert "python manifests/smoke_test.py http://127.0.0.1:18080" in runner.called
    assert runner.outputs == ({"code": str(code)} if code else {})


def test_without_the_token_nothing_is_said_about_the_model(
    workflow: dict[str, Any], runner: Runner
) -> None:
    runner.program("kubectl", "exit 1")
    assert runner.run(command(workflow, "Ask")) == 1
    assert runner.outputs == {}


def test_what_fails_is_rolled_back(workflow: dict[str, Any], runner: Runner) -> None:
    runner.program("kubectl")
    runner.program("basketwise")
    back, rejected = workflow["jobs"]["deploy"]["steps"][-2:]
    assert back["if"] == "failure() && steps.rollout.conclusion != 'skipped'"
    assert runner.run(back["run"]) == 0
    assert runner.called[0] == "kubectl --namespace mlops rollout undo deployment/retail-api"
    # Exit code 1 of the script: a wrong answer.
    assert rejected["if"] == "failure() && steps.smoke.outputs.code == '1'"
    run = {"GITHUB_SERVER_URL": "https://g", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7"}
    assert runner.run(rejected["run"], VERSION="3", **run) == 0
    (call,) = runner.called
    assert call.startswith("basketwise models reject 3 --why it answered wrongly")
    assert call.endswith("https://g/o/r/actions/runs/7")


def test_cloudformation_accepts_the_rule(model: ApprovedModel, tmp_path: Path) -> None:
    path = tmp_path / "rule.yaml"
    path.write_text(
        str(workflow_files(model, FULL, tmp_path)["approval-rule.yaml"]), encoding="utf-8"
    )
    done = subprocess.run(
        [str(BIN / "cfn-lint"), "--template", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    text = path.read_text(encoding="utf-8")
    assert "detail-type: [SageMaker Model Package State Change]" in text
    assert '- "retail-price-sensitivity-models"' in text
    assert 'ApiKeyValue: !Sub "Bearer {{resolve:secretsmanager:${TokenSecret}}}"' in text


def test_the_event_starts_the_workflow(model: ApprovedModel, workflow: dict[str, Any]) -> None:
    rule = str(workflow_files(model, FULL, Path())["approval-rule.yaml"])
    template = re.search(r"InputTemplate: \|\n +(\{.*\})\n", rule)
    assert template
    sent = json.loads(template[1].replace("<version>", "3"))
    # YAML 1.1 reads the key `on` as true.
    events = {str(key): value for key, value in workflow.items()}["True"]
    assert events["repository_dispatch"]["types"] == [sent["event_type"]]
