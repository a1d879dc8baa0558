import re

import pytest

CLAIM = re.compile(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)")
ROW = re.compile(r"^\| (\d+) \|(.*)\|$", re.MULTILINE)


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/security.md").read_text(encoding="utf-8")


def test_every_test_that_a_page_names_is_there(root, pages, shown_by):
    """What a page claims with a test is claimed with one that exists, in the file that the link leads to."""
    claims = [(page, *claim) for page in pages for claim in CLAIM.findall(page.read_text(encoding="utf-8"))]

    assert claims
    assert [
        f"{page.relative_to(root)}: {name}" for page, name, place in claims if not shown_by(f"{place}::{name}")
    ] == []


def test_every_finding_says_what_holds_and_what_shows_it(page):
    """Each of the 27 findings has a row, in order, and each row a test."""
    rows = ROW.findall(page)

    assert [int(number) for number, _ in rows] == list(range(1, 28))
    assert [number for number, row in rows if not CLAIM.search(row)] == []
