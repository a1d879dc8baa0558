import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from caxton.config.delivery import DeliverySettings
from caxton.errors import ConfigurationError, InvalidMessageFormat
from caxton.placement.slot_table import SlotTable
from caxton.wire.spawn_spec import SpawnSpec

SPEC = SpawnSpec("/r", "/d", 1, 7, 4242, SlotTable.even(2), b"m" * 32, b"n" * 32, b"c" * 32)


@pytest.mark.parametrize("note", [None, bytes(32)])
def test_a_worker_reads_what_the_supervisor_wrote(note):
    """What the supervisor writes comes out whole, with the crash note or without."""
    spec = msgspec.structs.replace(SPEC, last_crash=note)

    assert SpawnSpec.decode(spec.encode()) == spec


def test_a_worker_is_told_how_to_deliver():
    """How messages are retried and kept comes out as it went in, and the shard's share of the dead letters with it."""
    delivery = DeliverySettings(
        dead_letter_capacity=10_001, dead_letter_eviction=True, retry_factor=1.5, breaker_timeout_s=5.0
    )
    spec = SpawnSpec.decode(msgspec.structs.replace(SPEC, delivery=delivery).encode())

    assert spec.delivery == delivery
    assert spec.dead_letter_capacity == 5_000
    assert msgspec.structs.replace(spec, shard=0).dead_letter_capacity == 5_001


@given(cut=st.integers(0, len(SPEC.encode()) - 1))
def test_a_spec_that_is_cut_short_is_invalid(cut):
    """A supervisor that dies while it writes leaves no spec that a worker would take."""
    with pytest.raises(InvalidMessageFormat):
        SpawnSpec.decode(SPEC.encode()[:cut])


@given(raw=st.binary(max_size=200))
@example(b"\xdd\x00\x00\x00\t\xa1\x80")
def test_other_bytes_are_invalid(raw):
    """Whatever else is on the standard input is refused with one error, which says where specs come from."""
    for start in (b"", b"\x01"):
        with pytest.raises(InvalidMessageFormat):
            SpawnSpec.decode(start + raw)


def test_another_version_is_refused():
    """A spec of another version is refused with what to do."""
    with pytest.raises(InvalidMessageFormat, match="caxton serve"):
        SpawnSpec.decode(b"\x02" + SPEC.encode()[1:])


def test_a_worker_serves_no_supervisor_of_another_release():
    """What was installed anew under a runtime that goes on is told, with what to do."""
    with pytest.raises(ConfigurationError, match=r"of release 0\.0\.1: .* replaced while it ran; .* serve again"):
        SpawnSpec.decode(msgspec.structs.replace(SPEC, release="0.0.1").encode()).check_release("0.1.0")
    msgspec.structs.replace(SPEC, release="0.1.0").check_release("0.1.0")
