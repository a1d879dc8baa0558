"""The page of events and the code say the same."""

import re
import runpy
from pathlib import Path

from caxton.wire.events import KINDS, MAX_KIND, MAX_KINDS

ROOT = Path(__file__).parents[2]


def test_the_page_lists_every_kind():
    """`python docs/events_page.py` writes the table."""
    page = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    assert page == runpy.run_path(str(ROOT / "docs/events_page.py"))["written"](page)


def test_every_kind_that_is_told_is_listed_and_every_listed_one_is_told():
    """Whatever the supervisor, a worker or a client calls an event."""
    told = set()
    for path, pattern in (
        ("caxton/supervisor/events.py", r'Event\(\s*"(\w+)"'),
        ("caxton/client/calls/event_calls.py", r'_note\(\s*"(\w+)"'),
        ("workers/durable/attempts.py", r'happened\(\s*"(\w+)"'),
        ("workers/loop/calls.py", r'happened\(\s*"(\w+)"'),
    ):
        told |= set(re.findall(pattern, (ROOT / path).read_text(encoding="utf-8")))
    lifecycle = (ROOT / "workers/operations/lifecycle.py").read_text(encoding="utf-8")
    told |= {f"agent_{what}" for what in re.findall(r'self\._happened\(agent, "(\w+)"', lifecycle)}

    assert told | {"agent_deployed", "agent_registered"} == KINDS.keys()
    assert len(KINDS) <= MAX_KINDS
    assert max(map(len, KINDS)) <= MAX_KIND
