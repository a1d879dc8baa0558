import os
import subprocess
import sys

from caxton.supervisor.workforce import orphans
from caxton.supervisor.workforce.orphans import Orphans


def ended_child(code):
    """Start a child and return it once it has ended, not reaped."""
    child = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    return child


def test_nobody_is_reaped_where_nothing_is_inherited():
    """In a process that inherits no orphans, children are left to whoever started them."""
    child = ended_child(3)

    Orphans(set).reap()

    assert child.wait() == 3


def test_only_what_nobody_waits_for_is_reaped(monkeypatch):
    """A child that is nobody's is reaped; one of our own keeps its exit code for whoever waits for it."""
    monkeypatch.setattr(orphans, "inherits_orphans", lambda: True)
    own = ended_child(4)
    reaper = Orphans(lambda: {own.pid})
    reaper.reap()
    assert own.wait() == 4
    stray = ended_child(5)

    reaper.reap()
    reaper.reap()

    assert reaper.reaped >= 1
    assert stray.poll() is not None  # nobody knows its code any more
