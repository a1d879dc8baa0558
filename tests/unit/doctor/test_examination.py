"""Whatever is wrong with a machine is found, and stops no other look."""

from importlib import metadata
from pathlib import Path

import pytest

from caxton.doctor.examination import Plan, examine
from caxton.doctor.finding import Verdict


@pytest.fixture
def look(tmp_path):
    """Looks at two directories, within an own one unless told otherwise; returns the findings by name."""

    def looked(run="run", data="data", root=tmp_path):
        return {found.name: found for found in examine(Plan(root / run, root / data, 1, 16))}

    return looked


def test_links_that_end_nowhere_are_found(look, tmp_path):
    """Where a directory is a link to itself, or has one above it."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    found = look("loop", "loop/data")

    assert (found["runtime directory"].verdict, found["data directory"].verdict) == (Verdict.PROBLEM, Verdict.PROBLEM)
    assert all(found[f"{which} file system"].found.startswith("on ") for which in ("runtime", "data"))


def test_a_directory_that_no_runtime_would_take_is_a_problem(look):
    """As one whose name is no text."""
    found = look("run-\udcff", "data-\udcff")
    assert (found["runtime directory"].verdict, found["data directory"].verdict) == (Verdict.PROBLEM, Verdict.PROBLEM)


def test_a_package_without_what_it_says_of_itself_is_found(look, monkeypatch):
    """As where the folder with that was removed."""

    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    packages = look()["packages"]
    assert (packages.verdict, "caxton" in packages.found) == (Verdict.PROBLEM, True)


def test_a_working_directory_that_is_gone_is_found(look, tmp_path, monkeypatch):
    """Where directories begin in it; everything else is looked at."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = look(root=Path())

    assert "working directory that is gone" in found["data directory"].found
    assert found["python"].verdict is Verdict.OK
    monkeypatch.chdir(tmp_path)


def test_what_cannot_be_looked_at_stops_nothing_else(look, monkeypatch):
    """Whatever the error; and it has a text."""

    def breaks(*_):
        raise AssertionError

    monkeypatch.setattr("caxton.doctor.versions.zmq", breaks)
    found = look()
    assert found["zmq"].found == "it cannot be looked at: AssertionError"
    assert len(found) == 16
