"""One message has one limit of time: what its instance's start took is taken off."""

from itertools import count
from time import monotonic_ns
from types import SimpleNamespace

import pytest

from caxton.agents.limits import KIB, Limits
from workers.sandbox.sandbox import Sandbox

LIMIT_NS, TAKES_NS = 1_000_000_000, 100_000_000
LIMITS = Limits(max_execution_ms=1_000)
GUEST = """(module (memory (export "memory") 9) (func $start) (start $start)
 (func (export "caxton_init") (param i32 i32) (result i32) (i32.const 0))
 (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
 (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))"""


class Spy(SimpleNamespace):
    """A watchdog that looks at nothing, and keeps how long each entry was given."""

    def __setattr__(self, name, value):
        if name == "deadline_ns" and value:
            self.given.append(value - monotonic_ns())
        super().__setattr__(name, value)


@pytest.fixture
def spy():
    return Spy(given=[], deadline_ns=0, resting=False, watch=lambda: None)


@pytest.fixture
def sandbox(engine, nursery, spy, monkeypatch):
    """A sandbox in which each entry but `handle_message` takes 100 ms of computing time."""
    clock = count()
    monkeypatch.setattr("workers.sandbox.sandbox.thread_time_ns", lambda: next(clock) * TAKES_NS)
    made = Sandbox(engine, nursery.module(GUEST), LIMITS, spy, lambda _level, _line: None)
    yield made
    made.close()


def entries(spy):
    """How many of the times that an entry takes were missing in what each was given: whole ones."""
    return [-((given - LIMIT_NS) // TAKES_NS) - 1 for given in spy.given]


def test_a_start_is_within_the_limit_of_its_message(sandbox, spy):
    """Start function, caxton_init and caxton_alloc have what those before them left, and the handler the rest."""
    assert sandbox.used_ns == 3 * TAKES_NS
    sandbox.handle(b"", monotonic_ns() - sandbox.used_ns)
    assert entries(spy) == [0, 1, 2, 3]


def test_the_next_message_has_its_whole_limit(sandbox, spy):
    """What a start took is taken off once."""
    sandbox.handle(b"", monotonic_ns() - sandbox.used_ns)
    sandbox.handle(b"", monotonic_ns())
    assert entries(spy)[-1] == 0


@pytest.mark.parametrize("told", [True, False])
def test_a_larger_buffer_is_within_the_limit_of_its_message(sandbox, spy, told):
    """A message for which caxton_alloc is called again leaves its handler what that took less; the next has it all."""
    large = bytes(64 * KIB)
    sandbox.handle(large, *[monotonic_ns()] * told)
    sandbox.handle(large, *[monotonic_ns()] * told)
    assert entries(spy)[3:] == [0, 1, 0]


def test_a_first_message_that_needs_a_larger_buffer_has_one_limit_too(sandbox, spy):
    """Both are taken off: what its start took, and what the larger buffer took."""
    sandbox.handle(bytes(64 * KIB), monotonic_ns() - sandbox.used_ns)
    assert entries(spy)[3:] == [3, 4]
