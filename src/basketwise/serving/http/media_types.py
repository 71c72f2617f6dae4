"""The types of bodies that are read and written, by the names that they go by."""

from __future__ import annotations

from email.message import Message

JSON, JSON_LINES, CSV = "application/json", "application/jsonlines", "text/csv"
CONTENT_TYPES = (JSON, JSON_LINES, CSV)
SEND = f"Send {JSON}, {JSON_LINES} (one basket a line) or {CSV}, in UTF-8, not compressed."

SPELLINGS = {kind: kind for kind in CONTENT_TYPES} | dict.fromkeys(
    ("application/jsonl", "application/ndjson", "application/x-jsonlines", "application/x-ndjson"),
    JSON_LINES,
)
"""The types that are read and written, by every name that they go by."""


def media_type(content_type: str) -> str | None:
    """Return which of the types that are read a header names; None for any other.

    Examples
    --------
    >>> media_type("Text/CSV; charset=utf-8"), media_type("application/x-ndjson")
    ('text/csv', 'application/jsonlines')
    >>> media_type("text/csv; charset=latin-1") is None
    True
    """
    message = Message()
    message["Content-Type"] = content_type
    charset = str(message.get_param("charset", "utf-8")).lower()
    kind = SPELLINGS.get(message.get_content_type()) if content_type else None
    return kind if charset in ("utf-8", "utf8") else None
