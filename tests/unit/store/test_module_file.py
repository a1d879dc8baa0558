import os
import resource

import pytest

from caxton.errors import ValidationError
from caxton.store import module_file
from caxton.store.module_file import read_module


def test_a_file_is_as_long_as_a_module_may_be_and_no_longer(tmp_path, monkeypatch):
    """What has the length of the longest module is read, and of one byte more the length alone is looked at."""
    monkeypatch.setattr(module_file, "MAX_MODULE", 1_000)
    path = tmp_path / "a.wasm"
    path.write_bytes(bytes(1_000))
    assert read_module(path) == bytes(1_000)

    os.truncate(path, 1_001)
    with pytest.raises(ValidationError, match="longer than the 1,000 bytes"):
        read_module(path)
    os.truncate(path, 1 << 40)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValidationError, match="longer than the 1,000 bytes"):
        read_module(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_file_that_says_nothing_of_its_length_is_read_to_its_bound(monkeypatch):
    """Those of /proc have no size."""
    monkeypatch.setattr(module_file, "MAX_MODULE", 10)
    with pytest.raises(ValidationError, match="longer than the 10 bytes"):
        read_module("/proc/self/maps")
