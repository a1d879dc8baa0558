"""Messages that wait in the file alone: what its worker has no room for is read again by its place."""

import sqlite3
from collections.abc import Iterable

from caxton.store.seal import BrokenSeal, unseal
from caxton.store.waiting import Encoded, Waiting, decode_one, split_waiting

# A row of `unfinished`, and a place in it, counted from 0.
Place = tuple[int, int]


def read_places(db: sqlite3.Connection, places: Iterable[Place], most_bytes: int) -> list[Waiting]:
    """Return the messages at the first of these places, in their order, on the connection's thread.

    No further row is read after `most_bytes` of rows. Raises BrokenSeal for a place that is not there.
    """
    found: list[Waiting] = []
    row, size = -1, 0
    encoded: list[Encoded] = []
    for number, place in places:
        if number != row:
            if size >= most_bytes:
                break
            row = number
            encoded, read = _row(db, number)
            size += read
        if place >= len(encoded):
            raise BrokenSeal(f"no message {place} in an unfinished row of {len(encoded)}")
        found.append(decode_one(encoded[place]))
    return found


def _row(db: sqlite3.Connection, number: int) -> tuple[list[Encoded], int]:
    """Return the messages of a row, each encoded, and their bytes."""
    row = db.execute("SELECT size, messages FROM unfinished WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise BrokenSeal(f"unfinished row {number} is gone")
    size, sealed = row
    messages = unseal(sealed, number, size)
    return split_waiting(messages), len(messages)
