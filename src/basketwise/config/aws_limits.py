"""What AWS allows in the settings that an organization's rules ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping

SUBNET = r"^subnet-[0-9a-f]{8,17}$"
SECURITY_GROUP = r"^sg-[0-9a-f]{8,17}$"
KEY = r"^$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,128}$"
BOUNDARY = r"^$|^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9_+=,.@/-]{1,512}$"

MAX_SUBNETS, MAX_SECURITY_GROUPS = 16, 5

RESERVED_TAGS = frozenset(
    {
        "Environment",
        "ManagedBy",
        "ModelPackageGroup",
        "ModelSha256",
        "ModelType",
        "ModelVersion",
        "Project",
        "Target",
    }
)
"""Keys of the tags that Basketwise sets itself."""

MAX_TAGS = 50 - len(RESERVED_TAGS)
"""A resource takes 50 (Amazon Web Services, Tagging AWS resources, 2025)."""

TAG_KEY, TAG_VALUE = re.compile(r"[\w .:/=+@-]{1,128}"), re.compile(r"[\w .:/=+@-]{0,256}")

LOCAL_STORAGE = re.compile(
    r"ml\.(?:[a-z]+[0-9]+[a-z]*d[a-z]*|g4dn|g[5-9]e?|p[5-9][a-z0-9-]*|p4de|trn[12]n?)\."
)
"""Instance types with disks of their own, which their hardware encrypts (Amazon EC2, instance
types, 2026)."""


def has_local_storage(instance_type: str) -> bool:
    """Whether an instance type brings its own disks, so that its volume takes no KMS key.

    Examples
    --------
    >>> [has_local_storage(f"ml.{name}") for name in ("m5.large", "m5d.large", "g4dn.xlarge")]
    [False, True, True]
    """
    return LOCAL_STORAGE.match(instance_type) is not None


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags that every service accepts; raises ValueError otherwise."""
    if len(tags) > MAX_TAGS:
        raise ValueError(f"{len(tags)} tags are too many: {MAX_TAGS} fit beside Basketwise's own")
    for key, value in tags.items():
        if key in RESERVED_TAGS:
            raise ValueError(f"the tag {key} is set by Basketwise itself")
        if key.lower().startswith("aws:"):
            raise ValueError(f"the tag {key!r} begins with aws:, which is AWS's own")
        if not TAG_KEY.fullmatch(key):
            raise ValueError(
                f"{key!r} is no key of a tag: 1 to 128 letters, digits, spaces and _.:/=+-@"
            )
        if not TAG_VALUE.fullmatch(value):
            raise ValueError(
                f"the tag {key} has a value that AWS refuses: up to 256 letters, digits, spaces "
                "and _.:/=+-@"
            )
    return dict(tags)
