"""Seals and integers: what goes in comes out, and what was changed does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.store.integers import bounded, signed, unsigned
from caxton.store.seal import BrokenSeal, number_of, seal, seal_optional, unseal, unseal_optional

WORDS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)


@given(st.binary(max_size=200), WORDS)
def test_a_sealed_payload_comes_back(payload, numbers):
    """With the numbers that it was sealed with."""
    assert unseal(seal(payload, *numbers), *numbers) == payload


@given(st.none() | st.binary(max_size=20), WORDS)
def test_an_absent_payload_is_not_an_empty_one(payload, numbers):
    """None stays None, and b"" stays b""."""
    assert unseal_optional(seal_optional(payload, *numbers), *numbers) == payload


@given(st.binary(max_size=50), WORDS, st.data())
def test_every_flipped_bit_is_noticed(payload, numbers, data):
    """In the seal, the payload, or one of the numbers."""
    sealed = seal(payload, *numbers)
    bit = data.draw(st.integers(0, len(sealed) * 8 + len(numbers) * 64 - 1))
    if bit < len(sealed) * 8:
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        sealed = bytes(changed)
    else:
        place, bit = divmod(bit - len(sealed) * 8, 64)
        numbers[place] = signed(unsigned(numbers[place]) ^ 1 << bit)
    with pytest.raises(BrokenSeal):
        unseal(sealed, *numbers)


@pytest.mark.parametrize("sealed", [None, 5, "text", b"", b"\1abc", 0.5])
def test_what_is_no_seal_is_broken(sealed):
    """Whatever SQLite finds in the column."""
    with pytest.raises(BrokenSeal):
        unseal(sealed)


@pytest.mark.parametrize("number", [None, "7", 7.5, b"7", 2**63])
def test_what_is_no_number_is_broken(number):
    """Whatever SQLite finds where a number was."""
    with pytest.raises(BrokenSeal, match="other than numbers"):
        unseal(seal(b"x", 7), number)


def test_a_later_version_is_told():
    """By its number."""
    with pytest.raises(BrokenSeal, match="a row of version 9; this one reads 1"):
        unseal(b"\x09" + seal(b"x")[1:])


@given(st.lists(st.binary(max_size=5), max_size=3), st.lists(st.binary(max_size=5), max_size=3))
def test_texts_have_numbers_of_their_own(some, others):
    """Where one ends and the next begins counts too."""
    assert (number_of(*some) == number_of(*others)) == (some == others)


@given(st.integers())
def test_any_integer_fits_a_column(number):
    """Unsigned words come back as they were, and counts stay as near as they can."""
    assert -(2**63) <= signed(number) < 2**63
    assert 0 <= bounded(number) < 2**63
    if 0 <= number < 2**64:
        assert unsigned(signed(number)) == number
    if 0 <= number < 2**63:
        assert bounded(number) == signed(number) == number
