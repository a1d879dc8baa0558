"""Thousands of sandboxes made, trapped and closed leave nothing behind."""

import gc
import os
from pathlib import Path

import pytest

from workers.sandbox.traps import Trap

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def _mappings() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _live_and_die(nursery, rounds: int) -> None:
    endings = [("faults", b"\0"), ("recursion", b""), ("answer", b"\xff" * 4 + b"\x7f" * 4), ("memory_in_start", b"")]
    for n in range(rounds):
        guest, content = endings[n % len(endings)]
        with pytest.raises(Trap):
            nursery.start(guest).handle(content)
        nursery.start("log").handle(b"x")
        nursery.close()


def test_memory_mappings_and_descriptors_stay_as_they_were(nursery):
    """After 4,000 sandboxes, half of them trapped, the process is as large as it was after the first 1,000."""
    _live_and_die(nursery, 500)
    gc.collect()
    before = _resident(), _mappings(), _descriptors(), len(nursery.engine.host.turns)
    _live_and_die(nursery, 1_500)
    gc.collect()
    after = _resident(), _mappings(), _descriptors(), len(nursery.engine.host.turns)
    assert after[0] - before[0] <= 2 << 20
    assert after[1] - before[1] <= 20
    assert after[2:] == before[2:]


def test_many_traps_of_one_guest_leave_nothing(nursery):
    """The trap objects of wasmtime are deleted: 10,000 of them would be megabytes."""

    def traps(rounds: int) -> None:
        for _ in range(rounds):
            with pytest.raises(Trap):
                nursery.start("faults").handle(b"\1")
            nursery.close()

    traps(500)
    gc.collect()
    before = _resident()
    traps(3_000)
    gc.collect()
    assert _resident() - before <= 1 << 20


def test_an_idle_guest_costs_less_than_20_kb(nursery):
    """A started echo that has handled a message keeps less than 20 KB resident."""
    nursery.start("echo").handle(b"x" * 100)
    gc.collect()
    before = _resident()
    for _ in range(2_000):
        nursery.start("echo").handle(b"x" * 100)
    assert (_resident() - before) / 2_000 < 20_000
