"""Every error that Basketwise raises on purpose.

::

    BasketwiseError                 a headline, what to do next, an exit code
    ├── InputError          (2)     the user's data cannot be used
    ├── ConfigError         (2)     the user's settings cannot be used
    ├── WorkspaceError      (2)     the workspace is busy, full or not writable
    └── DependencyError     (3)     a registry, S3 or SageMaker failed

Any other exception is a bug in Basketwise and ends with exit code 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from basketwise.redaction import redacted
from basketwise.terminal import printable, visible

GATE_NOT_PASSED = 1
"""Exit code of a run whose model was not approved, with ``--require-approval`` only."""

NOT_REPRODUCED = 1
"""Exit code of ``reproduce`` when an output differs."""

OUR_FAULT = 4
"""Exit code for unexpected exceptions, which are bugs."""

INTERRUPTED = 130
"""Exit code after Ctrl-C (128 + SIGINT), as shells expect."""


class BasketwiseError(Exception):
    """Base class: a one-line description of the problem, and what to do about it.

    Both are redacted, and control characters in them escaped: they may quote values and messages
    from anywhere.

    Parameters
    ----------
    headline : str
        What is wrong and where (file, row, column or config key).
    hint : str
        What is allowed and what to do next. May be empty.

    Examples
    --------
    >>> import basketwise as bw
    >>> print(bw.BasketwiseError("The file is empty.", "Export it again."))
    The file is empty.
    Export it again.
    """

    exit_code = OUR_FAULT

    def __init__(self, headline: str, hint: str = "") -> None:
        self.headline = printable(redacted(headline))
        self.hint = visible(redacted(hint))
        super().__init__(self.headline)

    def __str__(self) -> str:
        return f"{self.headline}\n{self.hint}" if self.hint else self.headline


class InputError(BasketwiseError):
    """The user's data cannot be used.

    Examples
    --------
    >>> import basketwise as bw
    >>> try:
    ...     bw.clean({"BASKET_ID": [1]})
    ... except bw.InputError as error:
    ...     error.headline.partition(".")[0]
    "'table' lacks the required columns PROD_CODE, SPEND, QUANTITY"
    """

    exit_code = 2


class ConfigError(BasketwiseError):
    """A setting is unknown or out of its range.

    Examples
    --------
    >>> import basketwise as bw
    >>> try:
    ...     bw.train("raw", split="temporal")
    ... except bw.ConfigError as error:
    ...     error.exit_code
    2
    """

    exit_code = 2


class WorkspaceError(BasketwiseError):
    """The workspace is in use by another run, full, or not writable.

    Examples
    --------
    >>> import basketwise as bw
    >>> issubclass(bw.WorkspaceError, bw.BasketwiseError)
    True
    """

    exit_code = 2


class DependencyError(BasketwiseError):
    """Something that Basketwise relies on failed: a registry, S3, SageMaker.

    Examples
    --------
    >>> import basketwise as bw
    >>> bw.DependencyError("The registry does not answer.", "Try again.").exit_code
    3
    """

    exit_code = 3


@contextmanager
def writing(failure: str, hint: str) -> Iterator[None]:
    """Report an error of the system as a WorkspaceError; its headline is the failure and why."""
    try:
        yield
    except OSError as error:
        raise WorkspaceError(f"{failure}: {error.strerror or error}.", hint) from error
