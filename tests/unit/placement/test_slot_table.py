"""The versioned table of slots."""

from collections import Counter

import msgspec
import pytest

from caxton.errors import ConfigurationError
from caxton.placement.slot_table import MAX_WORKERS, SlotTable
from caxton.placement.slots import SLOTS


@pytest.mark.parametrize("workers", range(1, MAX_WORKERS + 1))
def test_slots_are_dealt_evenly(workers):
    """No worker owns more than one slot more than another."""
    counts = Counter(SlotTable.even(workers).owners)
    assert set(counts) == set(range(workers))
    assert max(counts.values()) - min(counts.values()) <= 1
    assert sum(counts.values()) == SLOTS


@pytest.mark.parametrize("workers", [0, -1, 33])
def test_a_runtime_has_1_to_32_workers(workers):
    """The error names the option and the way out."""
    with pytest.raises(ConfigurationError, match=r"--workers.*choose from 1 to 32"):
        SlotTable.even(workers)


def test_a_table_does_not_change():
    """It is shared by all who hold it."""
    with pytest.raises(AttributeError):
        SlotTable.even(2).version = 9


def test_a_table_comes_back_as_it_went():
    """Version and owners."""
    table = SlotTable.even(7, version=5)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(table), type=SlotTable) == table
