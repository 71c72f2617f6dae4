"""One workspace with three approved versions, which tests copy."""

from __future__ import annotations

import pytest

from tests.hostile.registry.shop import Shop, build


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Three versions of one model; not to be changed."""
    return build(tmp_path_factory.mktemp("shop") / "w", versions=3)
