import os
import struct
from hashlib import blake2b

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.errors import ConfigurationError, StorageError
from caxton.supervisor.premises.identity import FILE_NAME, FORMAT_VERSION, Identity


@pytest.fixture
def whole(tmp_path):
    """The bytes of a sound identity file, and where it is."""
    path = tmp_path / FILE_NAME
    Identity.open(tmp_path, 3, 1)
    return path, path.read_bytes()


def test_what_was_made_is_read_again(tmp_path):
    """Shards, slot table version and keys are the same when the file is read again."""
    made = Identity.open(tmp_path, None, 3)
    read = Identity.open(tmp_path, None, 5)

    assert (read.shards, read.table_version) == (made.shards, made.table_version) == (3, 1)
    assert read.derived_key("marks") == made.derived_key("marks")


def test_keys_differ_by_purpose_and_by_directory(tmp_path):
    """Each purpose has a key of its own, and no two data directories share one."""
    keys = set()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        identity = Identity.open(tmp_path / name, None, 1)
        keys |= {identity.derived_key(purpose) for purpose in ("marks", "naming", "cache")}

    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}


def test_no_incarnation_is_drawn_twice(tmp_path):
    """Incarnations grow over every reading of the file, also when the last reader drew just one, or two hundred."""
    drawn = []
    for count in (1, 200, 0, 64, 1):
        identity = Identity.open(tmp_path, None, 1)
        drawn += [identity.draw_incarnation() for _ in range(count)]

    assert drawn == sorted(set(drawn))
    assert min(drawn) >= 1


def test_an_incarnation_is_reserved_before_it_is_used(tmp_path):
    """Whoever reads the file after a draw, however its drawer ended, starts above what was drawn."""
    identity = Identity.open(tmp_path, None, 1)
    for _ in range(130):
        drawn = identity.draw_incarnation()
        assert Identity.open(tmp_path, None, 1).next_incarnation > drawn


def test_another_number_of_workers_is_refused(tmp_path):
    """Another number of workers is a ConfigurationError with both numbers and what to do; the same number is fine."""
    Identity.open(tmp_path, 2, 1)

    with pytest.raises(ConfigurationError, match=r"4 workers, and .* was made with 2; leave --workers out"):
        Identity.open(tmp_path, 4, 1)
    assert Identity.open(tmp_path, 2, 1).shards == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_truncated_file_is_refused_and_kept(whole, data):
    """A file that ends too early is a StorageError, and stays as it is."""
    path, raw = whole
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    path.write_bytes(cut)

    with pytest.raises(StorageError, match="`caxton restore` a backup into another --data-dir"):
        Identity.open(path.parent, None, 1)
    assert path.read_bytes() == cut


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_and_kept(whole, place, bit):
    """A file with one bit flipped, wherever, is refused and stays as it is."""
    path, raw = whole
    damaged = bytearray(raw)
    damaged[place % len(raw)] ^= 1 << bit
    path.write_bytes(damaged)

    with pytest.raises((StorageError, ConfigurationError)):
        Identity.open(path.parent, None, 1)
    assert path.read_bytes() == damaged


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=300))
def test_garbage_is_refused_and_kept(tmp_path, garbage):
    """Any other bytes are a StorageError, and stay as they are."""
    path = tmp_path / FILE_NAME
    path.write_bytes(garbage)

    with pytest.raises(StorageError):
        Identity.open(tmp_path, None, 1)
    assert path.read_bytes() == garbage


def test_a_later_format_is_refused(whole):
    """A file of a later format is a ConfigurationError that names both formats, whatever follows in it."""
    path, raw = whole
    path.write_bytes(raw[:8] + struct.pack("<I", FORMAT_VERSION + 1) + b"something new")

    with pytest.raises(ConfigurationError, match=rf"format {FORMAT_VERSION + 1}, .* reads up to {FORMAT_VERSION}"):
        Identity.open(path.parent, None, 1)


def test_a_directory_of_something_else_gets_no_identity(tmp_path):
    """A directory that is not empty is not made into a data directory."""
    (tmp_path / "shard-0.db").write_bytes(b"somebody's")

    with pytest.raises(ConfigurationError, match="not empty"):
        Identity.open(tmp_path, None, 1)
    assert not (tmp_path / FILE_NAME).exists()


def test_a_crash_while_it_was_made_leaves_no_obstacle(tmp_path):
    """A half-written file that was never put in place, and a lock, do not keep the identity from being made."""
    (tmp_path / f"{FILE_NAME}.new").write_bytes(b"half")
    (tmp_path / "lock").write_text("1")

    assert Identity.open(tmp_path, None, 2).shards == 2


def test_a_disk_that_refuses_is_a_storage_error(tmp_path):
    """When the file cannot be written, drawing raises StorageError and gives out nothing."""
    identity = Identity.open(tmp_path, None, 1)
    (tmp_path / f"{FILE_NAME}.new").mkdir()

    with pytest.raises(StorageError):
        identity.draw_incarnation()


@pytest.mark.parametrize("make", ["symlink_to", "hardlink_to"])
def test_a_new_identity_is_written_into_no_other_file(tmp_path, make):
    """A link in the place of the file that is written first is replaced, and what it leads to keeps what is in it."""
    precious = tmp_path / "precious"
    precious.write_text("somebody's")
    data = tmp_path / "data"
    data.mkdir()
    getattr(data / f"{FILE_NAME}.new", make)(precious)

    Identity.open(data, 2, 1)
    assert precious.read_text() == "somebody's"
    assert not (data / FILE_NAME).is_symlink()


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("elsewhere"), os.mkfifo, os.mkdir])
def test_what_is_no_file_is_no_identity(tmp_path, make):
    """A link, a FIFO or a directory in the place of the identity is a StorageError at once, and nobody waits for it."""
    make(tmp_path / FILE_NAME)
    with pytest.raises(StorageError, match="not a regular file"):
        Identity.open(tmp_path, None, 1)


@pytest.mark.parametrize(
    "numbers",
    [
        (0, 1, 1),
        (1 << 63, 1, 1),
        ((1 << 64) - 1, 1, 1),
        (1, 0, 1),
        (1, 1 << 63, 1),
        (1, 1, 0),
        (1, 1, 33),
        (1, 1, (1 << 32) - 1),
    ],
)
def test_numbers_that_no_runtime_has_are_refused(whole, numbers):
    """A file whose checksum is right and whose numbers are at their limits is refused at the start."""
    path, raw = whole
    changed = raw[:44] + struct.pack("<QQI", *numbers)
    path.write_bytes(changed + blake2b(changed, digest_size=16).digest())

    with pytest.raises(StorageError, match="no numbers of a runtime"):
        Identity.open(path.parent, None, 1)
