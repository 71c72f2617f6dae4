"""A workflow for GitHub Actions: from new data to pods that answer, without a key anywhere."""

from __future__ import annotations

from pathlib import Path

from basketwise import __version__
from basketwise.deploy.approved import ApprovedModel
from basketwise.deploy.options import Options
from basketwise.deploy.rendering import render
from basketwise.deploy.writing import Files

RULE = "approval-rule.yaml"


def workflow_files(model: ApprovedModel, options: Options, folder: Path) -> Files:
    """Return the workflow, and a stack of CloudFormation that starts it after an approval.

    Nothing is written into ``folder``.
    """
    values = {
        "name": options.name,
        "namespace": options.namespace,
        "host": options.host,
        "role_arn": options.role_arn,
        "group": model.group,
        "basketwise": __version__,
    }
    return {
        f".github/workflows/{options.name}.yml": render("github/workflow.yml", **values),
        RULE: render(f"github/{RULE}", **values),
    }
