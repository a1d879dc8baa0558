"""The unit of systemd: read by systemd itself, which also says how much it leaves to a service."""

import configparser
import shutil
import subprocess

import pytest

ANALYZE = shutil.which("systemd-analyze")
pytestmark = pytest.mark.skipif(
    ANALYZE is None, reason="systemd-analyze, of Debian's package systemd, is not installed: scripts/system-packages"
)
# systemd calls up to 2 well protected, and everything that nobody thought about 9.6.
MOST_EXPOSED = 20


@pytest.fixture
def unit(deploy, tmp_path):
    """The unit, with a program that is here: verify looks for it."""
    written = tmp_path / "caxton.service"
    text = (deploy / "systemd/caxton.service").read_text(encoding="utf-8")
    written.write_text(text.replace("/usr/local/bin/caxton", shutil.which("true")))
    return written


def said_by(*command):
    done = subprocess.run([*command], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_systemd_reads_every_line(unit):
    """A line that it does not know would be passed over, and be missed."""
    code, said = said_by(ANALYZE, "verify", "--man=no", unit)

    assert code == 0, said
    assert "caxton.service" not in said, said


def test_a_line_that_is_wrong_would_be_found(unit):
    """Else the test above says nothing."""
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=gently"))

    assert "caxton.service" in said_by(ANALYZE, "verify", "--man=no", unit)[1]


def test_it_is_exposed_to_little(unit):
    """As systemd counts it, in tenths."""
    code, said = said_by(ANALYZE, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", unit)
    if "unrecognized option" in said:
        pytest.skip("this systemd judges no unit that is not loaded")

    assert code == 0, said


def test_only_the_supervisor_is_told_to_stop_and_has_time_for_it(unit):
    """It drains for ten seconds unless told otherwise, and ends its workers itself."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(unit.read_text())

    assert parser["Service"]["KillMode"] == "mixed"
    assert int(parser["Service"]["TimeoutStopSec"]) > 10
