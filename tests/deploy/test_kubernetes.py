from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from basketwise.deploy.approved import ApprovedModel, AutoScaling
from basketwise.deploy.kubernetes import manifests
from basketwise.deploy.options import Options
from basketwise.deploy.writing import write_files
from basketwise.errors import ConfigError

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlops/retail-api@sha256:" + "3" * 64
PLAIN = Options(image=IMAGE)
FULL = Options(
    image=IMAGE,
    host="scores.example.com",
    role_arn="arn:aws:iam::123456789012:role/retail-api",
    # YAML would take these for a boolean and a null.
    name="yes",
    namespace="null",
)
OLDEST, NEWEST = "1.30", "1.37"
"""Of Kubernetes; the oldest is the first that lets a container sleep before it ends."""
OWN_KINDS = {"ServiceMonitor", "Kustomization"}
"""Not Kubernetes' own."""


def rendered(
    model: ApprovedModel, options: Options = PLAIN, folder: Path = Path()
) -> dict[str, dict[str, Any]]:
    """Return each manifest by its kind; every file holds one."""
    files = manifests(model, options, folder)
    texts = [str(text) for name, text in files.items() if name.endswith(".yaml")]
    documents = [yaml.safe_load(text) for text in texts]
    found = {document["kind"]: document for document in documents}
    assert len(found) == len(texts)
    return found


def scaled(model: ApprovedModel, least: int, most: int) -> ApprovedModel:
    scaling = AutoScaling(min_capacity=least, max_capacity=most, target_cpu_utilization=55)
    return replace(model, deployment=model.deployment.model_copy(update={"auto_scaling": scaling}))


def pod(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found = documents["Deployment"]["spec"]["template"]["spec"]
    assert isinstance(found, dict)
    return found


def container(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (found,) = pod(documents)["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("options", [PLAIN, FULL], ids=["plain", "full"])
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_accepts_it(model: ApprovedModel, options: Options, version: str) -> None:
    import kubernetes_validate

    for kind, document in rendered(model, options).items():
        if kind not in OWN_KINDS:
            kubernetes_validate.validate(document, version, strict=True)


def test_a_mistake_would_be_found(model: ApprovedModel) -> None:
    import kubernetes_validate

    document = rendered(model)["Deployment"]
    document["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, NEWEST, strict=True)


@pytest.mark.parametrize("options", [PLAIN, FULL], ids=["plain", "full"])
def test_kustomize_builds_it(model: ApprovedModel, options: Options, tmp_path: Path) -> None:
    out = write_files(tmp_path / "k", manifests(model, options, tmp_path), model, "kubernetes")
    listed = yaml.safe_load((out / "kustomization.yaml").read_bytes())["resources"]
    assert {*listed, "kustomization.yaml"} == {path.name for path in out.glob("*.yaml")}
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("needs kubectl, but no cluster")
    done = subprocess.run(
        [kubectl, "kustomize", str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(list(yaml.safe_load_all(done.stdout))) == len(listed)


def test_names_agree(model: ApprovedModel) -> None:
    documents = rendered(model, FULL)
    labels = documents["Deployment"]["spec"]["template"]["metadata"]["labels"]
    own = {"app.kubernetes.io/name": "yes"}
    assert own.items() <= labels.items()
    for kind, document in documents.items():
        if kind not in ("Namespace", "Kustomization"):
            assert document["metadata"]["name"] == "yes", kind
            assert document["metadata"]["namespace"] == "null", kind
    assert documents["Namespace"]["metadata"]["name"] == "null"
    spec = {kind: document.get("spec", {}) for kind, document in documents.items()}
    assert spec["Service"]["selector"] == own
    for kind in ("Deployment", "PodDisruptionBudget", "ServiceMonitor"):
        assert spec[kind]["selector"] == {"matchLabels": own}, kind
    assert spec["NetworkPolicy"]["podSelector"] == {"matchLabels": own}
    assert spec["HorizontalPodAutoscaler"]["scaleTargetRef"]["name"] == "yes"
    assert pod(documents)["serviceAccountName"] == "yes"
    (port,) = container(documents)["ports"]
    assert spec["Service"]["ports"][0]["targetPort"] == port["name"]
    (rule,) = spec["Ingress"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "yes", "port": {"name": "http"}}
    assert rule["host"] == "scores.example.com"


def test_the_model_is_pinned(model: ApprovedModel) -> None:
    documents = rendered(model)
    assert container(documents)["image"] == IMAGE
    for annotated in (documents["Deployment"], documents["Deployment"]["spec"]["template"]):
        annotations = annotated["metadata"]["annotations"]
        assert annotations["basketwise/model-version"] == "1"
        assert annotations["basketwise/model-sha256"] == model.sha256
    assert not [text for text in manifests(model, FULL, Path()).values() if "latest" in str(text)]


def test_without_an_image_nothing_is_rendered(model: ApprovedModel) -> None:
    with pytest.raises(ConfigError, match="--image is missing: pods pull an image"):
        manifests(model, Options(), Path())


def test_the_pod_has_no_rights_that_it_does_not_need(model: ApprovedModel) -> None:
    documents = rendered(model)
    assert pod(documents)["automountServiceAccountToken"] is False
    assert pod(documents)["securityContext"]["runAsNonRoot"] is True
    assert pod(documents)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(documents)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = [
        mount["mountPath"]
        for mount in container(documents)["volumeMounts"]
        if not mount.get("readOnly")
    ]
    assert writable == ["/tmp"]  # noqa: S108
    policy = documents["NetworkPolicy"]["spec"]
    assert policy["egress"] == []
    assert policy["ingress"][0]["from"][0] == {"podSelector": {}}
    assert "from" not in rendered(model, FULL)["NetworkPolicy"]["spec"]["ingress"][0]
    assert "annotations" not in documents["ServiceAccount"]["metadata"]
    assert "Ingress" not in documents


def test_an_iam_role_is_bound_to_the_service_account(model: ApprovedModel) -> None:
    annotations = rendered(model, FULL)["ServiceAccount"]["metadata"]["annotations"]
    assert annotations == {"eks.amazonaws.com/role-arn": FULL.role_arn}


def test_the_token_is_a_reference(model: ApprovedModel) -> None:
    documents = rendered(model)
    volume = next(volume for volume in pod(documents)["volumes"] if volume["name"] == "token")
    assert volume["secret"]["secretName"] == "retail-api-token"
    arguments = container(documents)["args"]
    file = arguments[arguments.index("--token-file") + 1]
    mounts = {mount["name"]: mount["mountPath"] for mount in container(documents)["volumeMounts"]}
    assert file == f"{mounts['token']}/{volume['secret']['items'][0]['path']}"
    (endpoint,) = documents["ServiceMonitor"]["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "retail-api-token", "key": "token"}
    assert "Secret" not in documents


def test_prometheus_scrapes_it(model: ApprovedModel) -> None:
    document = rendered(model)["ServiceMonitor"]
    assert document["apiVersion"] == "monitoring.coreos.com/v1"
    assert set(document["spec"]) == {"selector", "endpoints"}
    (endpoint,) = document["spec"]["endpoints"]
    assert set(endpoint) == {"port", "path", "interval", "scrapeTimeout", "authorization"}
    assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("http", "/metrics", "30s")


def test_requests_under_way_are_answered_before_a_pod_ends(model: ApprovedModel) -> None:
    documents = rendered(model)
    strategy = documents["Deployment"]["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxUnavailable": 0, "maxSurge": 1}
    sleep = container(documents)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod(documents)["terminationGracePeriodSeconds"] > sleep + 25
    paths = {
        name: container(documents)[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "liveness", "readiness")
    }
    assert paths == {"startup": "/health", "liveness": "/health", "readiness": "/ready"}


@pytest.mark.parametrize(
    ("least", "most", "replicas"), [(1, 10, 2), (1, 1, 1), (3, 10, 3), (2, 2, 2)]
)
def test_it_scales_as_the_configuration_says(
    model: ApprovedModel, least: int, most: int, replicas: int
) -> None:
    documents = rendered(scaled(model, least, most))
    spec = documents["HorizontalPodAutoscaler"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (least, most)
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 55
    assert documents["Deployment"]["spec"]["replicas"] == replicas
    assert container(documents)["resources"]["requests"] == {"cpu": "250m", "memory": "256Mi"}


def test_the_environment_says_which_model_it_is(model: ApprovedModel) -> None:
    stored = replace(model, model_data_url="s3://a-bucket/artifacts/run-1/model.tar.gz")
    variables = {item["name"]: item["value"] for item in container(rendered(stored))["env"]}
    assert variables == {
        "PORT": "8080",
        "LOG_LEVEL": "info",
        "MODEL_PACKAGE_GROUP": "retail-price-sensitivity-models",
        "MODEL_BUCKET": "a-bucket",
        "MODEL_KEY": "artifacts/run-1/model.tar.gz",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    assert "$(PORT)" in container(rendered(stored))["args"]
    variables = {item["name"]: item["value"] for item in container(rendered(model))["env"]}
    assert "MODEL_BUCKET" not in variables


def test_nothing_in_a_name_is_taken_for_yaml_or_for_a_variable(model: ApprovedModel) -> None:
    key = 'a"b: {{ x }} $(PORT)\n- #\\\u2028😀'
    hostile = replace(
        model, model_data_url=f"s3://bucket/{key.splitlines()[0]}", group=f"no: [{key}"
    )
    with pytest.raises(ValueError, match="would have to be quoted"):
        # In a comment, where nothing can be quoted.
        rendered(hostile)
    documents = rendered(replace(hostile, group=model.group))
    variables = {item["name"]: item["value"] for item in container(documents)["env"]}
    assert variables["MODEL_KEY"] == 'a"b: {{ x }} $$(PORT)'
