"""The laboratory for its tests. It is no part of the package that is shipped: it comes last on the path."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))


@pytest.fixture
def held():
    """Run a case in its short form, and ask that everything held."""
    from faultlab.cases.catalogue import CASES  # noqa: PLC0415 (only now is it on the path)

    def run(name):
        case = CASES[name]
        row = case.run(case.short, lambda _done, _about: None)
        assert row.clean, row.problems
        return row

    return run
