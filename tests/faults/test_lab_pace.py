import subprocess

import pytest

from faultlab import pace


def test_a_machine_is_never_quicker_than_promises_are_about(monkeypatch):
    """What is promised in seconds is asked of the quickest machine too, and more time is given to slower ones."""
    monkeypatch.setattr(pace, "_BEGIN", ["true"])
    monkeypatch.setattr(pace.time, "monotonic", iter([10.0, 10.1, 20.0, 21.8]).__next__)

    assert pace.pace() == 1.0
    assert pace.pace() == pytest.approx(3.0)


def test_what_is_promised_in_seconds_is_promised_of_an_idle_machine(monkeypatch):
    """What took longer is in time where this machine takes as many times as long now, and only there."""
    monkeypatch.setattr(pace, "pace", lambda: 2.0)
    assert pace.in_time(3.0, 3.0)
    assert pace.in_time(6.0, 3.0)
    assert not pace.in_time(6.1, 3.0)


def test_a_process_that_cannot_begin_is_no_slow_one(monkeypatch):
    """Its end is an error, and no pace."""
    monkeypatch.setattr(pace, "_BEGIN", ["false"])

    with pytest.raises(subprocess.CalledProcessError):
        pace.pace()
