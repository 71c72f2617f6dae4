"""Warnings and log records of Basketwise: without secrets, and in one line each.

In Python they go wherever the caller's program sends them, past the exits of the command line; so
they are redacted and escaped before they are issued.
"""

from __future__ import annotations

import logging
import warnings

from basketwise.redaction import redacted
from basketwise.terminal import printable


def notice(text: str) -> str:
    r"""Return a text as it may be given to anybody.

    Examples
    --------
    >>> notice("http://ann:secret@models.example\nfailed")
    'http://models.example\\nfailed'
    """
    return printable(redacted(text))


def warn(text: str, category: type[Warning] = UserWarning, *, stacklevel: int = 1) -> None:
    """Issue a warning; ``stacklevel`` as for :func:`warnings.warn`, from the caller's view."""
    warnings.warn(notice(text), category, stacklevel=stacklevel + 1)


def logger(name: str) -> logging.Logger:
    """Return a module's logger, whose records are redacted."""
    log = logging.getLogger(name)
    if _redact not in log.filters:
        log.addFilter(_redact)
    return log


def _redact(record: logging.LogRecord) -> bool:
    record.msg, record.args = notice(record.getMessage()), None
    return True
