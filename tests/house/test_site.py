"""The site of the documentation, without the tool that builds it: `scripts/docs` looks at what that makes of it."""

import importlib.util
import posixpath
import re
import xml.etree.ElementTree as ET

import pytest
import yaml

HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def site(root):
    spec = importlib.util.spec_from_file_location("site_pages", root / "docs/site_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def navigation(root, site):
    """The pages that the navigation leads to, in its order."""

    def leaves(entries):
        for entry in entries:
            below = next(iter(entry.values())) if isinstance(entry, dict) else entry
            yield from leaves(below) if isinstance(below, list) else [below]

    written = yaml.safe_load((root / "mkdocs.yml").read_text(encoding="utf-8"))
    return list(leaves(site.navigation(written["nav"])))


def anchors(text):
    """What the headings of a page are called in links."""
    titles = [re.sub(r"[^\w\s-]", "", title).strip().lower() for title in HEADING.findall(FENCED.sub("", text))]
    return {re.sub(r"[-\s]+", "-", title) for title in titles}


def test_every_page_is_in_the_navigation_once(site, navigation):
    """The navigation has every page of docs, those of other folders, the list of decisions, and no other."""
    assert sorted(navigation) == sorted([*map(site.uri, site.pages()), site.DECISIONS])


def test_every_link_of_the_site_leads_to_a_page_of_it(root, site):
    """A link leads to another page, to one made of a source, or to a file of docs; and to a heading that is there."""
    texts = site.pages()
    made = {site.uri(place): text for place, text in texts.items()} | site.sources(texts)
    made[site.DECISIONS] = ""
    lost = []
    for place, text in texts.items():
        here = site.uri(place)
        for _, target, _ in site.LINK.findall(site.relinked(text, place)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            there = posixpath.normpath(posixpath.join(posixpath.dirname(here), path)) if path else here
            is_there = there in made or (not there.startswith("..") and (root / "docs" / there).is_file())
            if not is_there or (anchor and anchor not in anchors(made[there])):
                lost.append(f"{place}: {target}")

    assert lost == []


def test_links_are_as_the_site_has_their_pages(site):
    """From a page outside of docs into it, from one to another, to a source, to the decisions, and elsewhere."""
    inwards = "[a](docs/abi.md#exports) [b](docs/adr/) [c](bench/README.md)"
    outwards = "[a](tests/conftest.py) [b](https://a.b/c) [c](#g)"

    assert site.relinked(inwards, "README.md") == "[a](abi.md#exports) [b](adr/index.md) [c](bench.md)"
    assert site.relinked(outwards, "README.md") == "[a](source/tests/conftest.py.md) [b](https://a.b/c) [c](#g)"
    assert site.relinked("[a](../../README.md)", "docs/adr/0002-y.md") == "[a](../index.md)"
    assert site.relinked("[a](0003-x.md)", "docs/adr/0002-y.md") == "[a](0003-x.md)"


def test_a_linked_source_can_be_read(site):
    """It is shown whole, in a fence that nothing in it ends, and the search leaves it alone."""
    made = site.sources({"docs/a.md": "[a](../tests/house/test_site.py) [b](abi.md)"})
    (text,) = made.values()
    fence = re.search(r"^(`+)python$", text, re.MULTILINE)[1]  # ``` and longer ones stand in this file: ````

    assert list(made) == ["source/tests/house/test_site.py.md"]
    assert "exclude: true" in text
    assert len(fence) == 5
    assert text.endswith(f"\n{fence}\n")
    assert "def test_a_linked_source_can_be_read" in text


def test_the_list_of_decisions_has_all_of_them(root, site):
    """Each with its title, date and status."""
    records = [path.name for path in (root / "docs/adr").glob("*.md")]
    text = site.decisions(records)

    assert "| [1. Record decisions](0001-record-decisions.md) | 2026-11-20 | accepted |\n" in text
    row = re.compile(r"^\| \[\d+\. .+\]\(.+\.md\) \| 20\d\d-\d\d-\d\d \| .+ \|$", re.MULTILINE)
    assert len(row.findall(text)) == len(records)


def test_every_picture_is_shown_and_loads_nothing(root, site):
    """A drawing is small, has a title, no script and nothing from elsewhere, and a page shows it with words for it."""
    drawings = sorted((root / "docs/pictures").glob("*.svg"))
    assert drawings

    for path in drawings:
        text = path.read_text(encoding="utf-8")
        elements = list(ET.fromstring(text).iter())  # noqa: S314 -- a file of ours
        names = {element.tag.rpartition("}")[2] for element in elements}
        assert len(text) < 10_000, path
        assert names <= {"svg", "title", "style", "defs", "marker", "g", "rect", "path", "text"}, path
        assert "title" in names, path
        assert [key for element in elements for key in element.attrib if key.startswith("on") or "href" in key] == []
        assert re.findall(r"url\((?!#)|@import|https?:(?!//www\.w3\.org/2000/svg\")", text) == [], path
        assert is_shown(path, site), path


def test_every_photograph_is_small_and_shown(root, site):
    """What is no drawing is a PNG that a page shows, with words for it."""
    others = [path for path in (root / "docs/pictures").iterdir() if path.suffix != ".svg"]
    assert others

    for path in others:
        assert path.read_bytes().startswith(b"\x89PNG"), path
        assert path.stat().st_size < 50_000, path
        assert is_shown(path, site), path


def is_shown(path, site):
    return any(re.search(rf"!\[[^\]]+\]\(pictures/{path.name}\)", page) for page in site.pages().values())
