import json
import sys

import pytest

from caxton.errors import NetworkError, Timeout
from faultlab.checker import Verdict
from faultlab.child import Child
from faultlab.row import Row, at
from faultlab.serial import Serial

TELLS = (
    "import json, sys\n"
    "for number in range(3): print(json.dumps({'event': 'step', 'number': number}), flush=True)\n"
    "sys.stdin.read()\n"
    "print(json.dumps({'event': 'last'}), flush=True)\n"
)


@pytest.fixture
def child(tmp_path):
    child = Child("a child", [sys.executable, "-c", TELLS], tmp_path / "log")
    yield child
    child.kill()


def test_an_event_is_found_by_its_name_and_what_it_says(child):
    """The first event that holds is returned, after the place that was given."""
    assert child.event("step", lambda event: event["number"] > 0)["number"] == 1
    assert child.event("step", after=2)["number"] == 2


def test_a_child_that_is_told_to_finish_does(child):
    """A child whose input ends comes to its end by itself, and what it told last is there."""
    assert child.finish() == 0
    assert child.event("last")["event"] == "last"


def test_an_event_that_never_comes_is_an_error(child):
    """Waiting for an event ends with Timeout, or with NetworkError once the child has ended."""
    with pytest.raises(Timeout):
        child.event("never", timeout_s=0.01)
    child.kill()
    with pytest.raises(NetworkError):
        child.event("never")


def test_a_row_with_something_lost_is_not_clean():
    """A row is clean until something is lost, double, or a claim does not hold; and it says what."""
    row = Row("1", "about", 2)
    row.add(Verdict(10, 10, [], []))
    row.claim(holds=True, otherwise="not shown")
    assert row.clean

    row.add(Verdict(10, 9, [Serial(1, 2)], []))
    row.claim(holds=False, otherwise="shown")

    shown = json.loads(json.dumps(row.as_json()))
    assert (shown["acknowledged"], shown["lost"], shown["double"], shown["clean"]) == (20, 1, 0, False)
    assert shown["problems"] == ["lost: 1, such as [(1, 2)]", "shown"]


def test_percentiles_are_values_that_were_measured():
    """Of a hundred values the 95th percentile is the 96th in order, and the maximum the last."""
    values = [float(n) for n in range(100, 0, -1)]

    assert at(values, 0.95) == 96.0
    assert at(values, 1.0) == 100.0
    assert at([], 0.5) is None
