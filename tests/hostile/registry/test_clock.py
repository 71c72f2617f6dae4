"""Changes of versions while the clock goes back: the last one counts."""

from __future__ import annotations

import json
from pathlib import Path

from basketwise.files import DEPLOYMENT_CONFIGS
from basketwise.registry.deployment import PREFIX
from tests.hostile.clock import Clock
from tests.hostile.registry.shop import Shop
from tests.hostile.scale import tried


def newest(shop: Shop) -> str:
    """Return the version that the deployment configuration with the last name is of."""
    path = max((shop.folder / DEPLOYMENT_CONFIGS).glob(f"{PREFIX}*"))
    return str(json.loads(path.read_bytes())["metadata"]["model_version"])


def test_the_version_approved_last_leads(template: Shop, clock: Clock, tmp_path: Path) -> None:
    shop = template.copied(tmp_path / "w")
    for version in "12" * tried(1, 5):
        clock.back(days=365)
        assert shop.call("models", "approve", version).code == 0
        assert shop.champion == version
        assert shop.is_settled
    clock.back(hours=1)
    assert shop.call("models", "rollback").code == 0
    assert shop.champion == "1"
    assert shop.is_settled
    changes = [change.at for change in shop.registry.history()]
    assert changes == sorted(set(changes))


def test_a_new_export_has_the_last_name(template: Shop, clock: Clock, tmp_path: Path) -> None:
    shop = template.copied(tmp_path / "w")
    assert newest(shop) == "3"
    for path in (shop.folder / DEPLOYMENT_CONFIGS).glob(f"{PREFIX}*"):
        if json.loads(path.read_bytes())["metadata"]["model_version"] == "1":
            path.unlink()
    clock.back(days=365)
    assert shop.call("models", "approve", "1").code == 0
    assert newest(shop) == "1"
