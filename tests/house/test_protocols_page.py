"""The page of protocols: as the tables say, and complete."""

import re
import runpy

import pytest

from caxton.protocols import MACHINES, Wrong


@pytest.fixture(scope="module")
def written(root):
    return runpy.run_path(str(root / "docs/protocols_page.py"))


def test_the_page_is_what_the_tables_say(root, written):
    """The page is the one that `python docs/protocols_page.py` makes."""
    is_made = (root / "docs/protocols.md").read_text(encoding="utf-8") == written["page"]()
    assert is_made, "write it anew with `python docs/protocols_page.py`"


def test_every_way_of_being_wrong_is_on_the_page(written):
    """Bad input, and what it gets: each problem that a violation may name."""
    assert set(written["MISFITS"]) == set(Wrong)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_row_and_every_deadline_is_an_arrow(written, machine):
    """The drawing leaves nothing out that the checker allows."""
    arrows = re.findall(r"^    \S+ --> \S+: (.*)$", written["drawing"](machine), re.MULTILINE)
    assert len(arrows) == sum(len(row.at) for row in machine.rows) + sum(s.kind is None for s in machine.own_states)
