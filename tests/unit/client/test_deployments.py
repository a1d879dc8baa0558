from pathlib import Path

import pytest

from caxton.client.calls import deployments
from caxton.errors import InvalidModule


def test_a_module_without_an_end_is_not_read_to_its_end(monkeypatch):
    """Of a device that has no size no more is read than a module may have."""
    monkeypatch.setattr(deployments, "MAX_MODULE", 1_000)

    with pytest.raises(InvalidModule, match="/dev/zero is longer than the 1000 bytes"):
        deployments._read("a", Path("/dev/zero"))


def test_a_file_is_as_long_as_a_module_may_be_and_no_longer(tmp_path, monkeypatch):
    """What has the length of the longest module is read, and of one byte more the length alone is looked at."""
    monkeypatch.setattr(deployments, "MAX_MODULE", 1_000)
    path = tmp_path / "a.wasm"
    path.write_bytes(bytes(1_000))
    assert deployments._read("a", path) == bytes(1_000)

    path.write_bytes(bytes(1_001))
    with pytest.raises(InvalidModule, match="1001 bytes"):
        deployments._read("a", path)


def test_a_module_that_is_not_there_says_so(tmp_path):
    """A path that cannot be read is an error of the deployment, with its name."""
    with pytest.raises(InvalidModule, match="No such file or directory"):
        deployments._read("a", tmp_path / "none.wasm")
