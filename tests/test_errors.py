"""The errors: a tree, each with its exit code."""

from __future__ import annotations

import inspect

import pytest

from basketwise import errors
from basketwise.errors import (
    BasketwiseError,
    ConfigError,
    DependencyError,
    InputError,
    WorkspaceError,
)

OURS = [
    result
    for _, result in inspect.getmembers(errors, inspect.isclass)
    if issubclass(result, BasketwiseError)
]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BasketwiseError, 4),
        (InputError, 2),
        (ConfigError, 2),
        (WorkspaceError, 2),
        (DependencyError, 3),
    ],
)
def test_exit_codes(error: type[BasketwiseError], code: int) -> None:
    assert error.exit_code == code
    assert error("headline").exit_code == code


def test_exit_codes_that_no_error_carries() -> None:
    assert (errors.GATE_NOT_PASSED, errors.OUR_FAULT, errors.INTERRUPTED) == (1, 4, 130)


@pytest.mark.parametrize("error", OURS)
def test_every_error_is_documented_and_drawn_in_the_tree(error: type[BasketwiseError]) -> None:
    assert error.__doc__
    assert error.__doc__ != BasketwiseError.__doc__ or error is BasketwiseError
    assert errors.__doc__
    assert error.__name__ in errors.__doc__


def test_the_tree_draws_the_exit_codes() -> None:
    assert errors.__doc__
    for error in OURS:
        if error is not BasketwiseError:
            [drawn] = [line for line in errors.__doc__.splitlines() if error.__name__ in line]
            assert f"({error.exit_code})" in drawn


def test_headline_and_hint_make_the_text() -> None:
    assert str(InputError("What was found.", "What to do.")) == "What was found.\nWhat to do."
    assert str(InputError("What was found.")) == "What was found."
    assert InputError("What was found.").hint == ""
