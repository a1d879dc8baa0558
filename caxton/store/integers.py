"""Integers of others in SQLite's columns, which hold 63 bits and a sign: whatever anybody sends can be stored."""

_WORD = 1 << 64
_LARGEST = (1 << 63) - 1


def signed(number: int) -> int:
    """Return the signed integer with the lowest 64 bits of `number`: ids, files and sequences go in by this."""
    number &= _WORD - 1
    return number if number <= _LARGEST else number - _WORD


def unsigned(number: int) -> int:
    """Return what `signed` was given, if that had no sign and at most 64 bits."""
    return number & (_WORD - 1)


def bounded(number: int) -> int:
    """Return the nearest integer from 0 to 2**63 - 1: times, sizes, counts and the numbers of letters go in by this."""
    return min(max(number, 0), _LARGEST)
