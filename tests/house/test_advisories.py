"""What is known against the engine is mended in it, or out of a guest's reach."""

import tomllib

import pytest

from workers.sandbox.engine import DEFAULT_PROFILE
from workers.sandbox.engine_version import engine_version


@pytest.fixture(scope="module")
def known(root):
    return tomllib.loads((root / "docs/advisories.toml").read_text(encoding="utf-8"))


def numbers(version):
    return tuple(map(int, version.split(".")))


def is_mended(advisory, engine):
    """True when the engine's own line has it mended by then, or began after every line that did."""
    lines = {numbers(version)[0]: numbers(version) for version in advisory["mended"]}
    return numbers(engine) >= lines.get(numbers(engine)[0], (max(lines) + 1,))


def test_the_engine_that_is_installed_is_the_one_that_was_reviewed(known):
    """Whoever takes another engine reads what is known against it first, and writes down that they did."""
    assert known["engine"] == engine_version()


def test_every_advisory_is_mended_or_excluded_by_what_a_test_shows(known, shown_by):
    """For what this engine does not mend there is a switch that is off, or other reason, and the test of it."""
    engine = engine_version()
    open_ones = [a for a in known["advisory"] if not is_mended(a, engine)]

    assert [a["id"] for a in open_ones if not a.get("excluded_by") or not shown_by(a.get("test", ""))] == []
    assert [a["id"] for a in open_ones if DEFAULT_PROFILE.get(a["excluded_by"], False)] == []


def test_what_an_advisory_says_can_be_checked(known):
    """Ids are said once, and a switch that is named as one is a setting of the engine."""
    ids = [a["id"] for a in known["advisory"]]
    switches = {a["excluded_by"] for a in known["advisory"] if " " not in a.get("excluded_by", " ")}

    assert len(ids) == len(set(ids))
    assert switches <= DEFAULT_PROFILE.keys()


@pytest.mark.parametrize(
    ("mended", "engine", "expected"),
    [
        (["50.0.2"], "50.0.1", False),
        (["50.0.2"], "50.0.2", True),
        (["50.0.2"], "51.0.0", True),
        (["50.0.2", "48.0.9"], "49.0.9", False),
        (["49.0.4"], "50.0.0", True),
        (["50.0.2"], "49.0.9", False),
    ],
)
def test_a_version_mends_its_own_line_and_those_that_begin_later(mended, engine, expected):
    """Between two lines that were mended there may be one that was not."""
    assert is_mended({"mended": mended}, engine) is expected
