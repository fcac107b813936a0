"""Cases of parametrised tests that take long: `make regress` runs them, `make test` their faster neighbours."""

from collections.abc import Iterable

import pytest


def regress(*values):
    """Return a case for `make regress`."""
    return pytest.param(*values, marks=pytest.mark.regress)


def mostly_regress(names: Iterable[str], *, but: set[str]) -> list:
    """Return the cases of these names; all are for `make regress` but those of `but`, which have to be among them."""
    names = list(names)
    assert but <= set(names), f"{but - set(names)} is no case"
    return [name if name in but else regress(name) for name in names]
