import json

import pytest
from typer.testing import CliRunner

from caxton.cli.main import app


@pytest.fixture
def examine(tmp_path, monkeypatch):
    monkeypatch.delenv("CAXTON_CONFIG_PATH", raising=False)

    def run(*flags, run=tmp_path / "run"):
        where = ("--runtime-dir", str(run), "--data-dir", str(tmp_path / "data"), *flags)
        return CliRunner().invoke(app, ["doctor", "-o", "json", "--", *where])

    return run


def test_every_thing_is_looked_at_and_nothing_made(examine, tmp_path):
    """All findings have a verdict, and what is to be changed has an advice; no directory is made."""
    done = examine()
    told = json.loads(done.stdout)

    assert {"python", "packages", "open files", "mapped areas", "memory", "disk sync", "free disk", "cleaners"} <= {
        finding["name"] for finding in told["findings"]
    }
    assert [f for f in told["findings"] if bool(f["advice"]) is (f["verdict"] == "ok")] == []
    assert list(tmp_path.iterdir()) == []


def test_what_must_be_changed_is_exit_code_1(examine, tmp_path):
    """A runtime directory whose name is too long serves nowhere."""
    done = examine(run=tmp_path / ("x" * 120))
    told = json.loads(done.stdout)

    assert (done.exit_code, told["ok"]) == (1, False)
    assert "shorter" in next(f["advice"] for f in told["findings"] if f["name"] == "socket names")


def test_a_text_is_for_people(tmp_path):
    """A line for each finding, and below it what to change."""
    where = ["--runtime-dir", str(tmp_path / ("x" * 120)), "--data-dir", str(tmp_path / "data")]
    done = CliRunner().invoke(app, ["doctor", "--", *where])

    assert done.exit_code == 1
    assert "problem: socket names: choose a shorter --runtime-dir" in done.stdout
