"""Where everything stands in a book: a file of unsigned 64-bit words, in the machine's order.

    header      8 words   magic, version, owner, counters, rows there is place for, rows in use, phase, journal pairs
    names     192 words   48 names of counters, 32 bytes each, UTF-8, padded with zeros
    counters   48 words
    journal               pairs (word, value): a place for every word that a commit may change
    rows                  3 words each: peer (0: free), emitted, taken

The phase makes a commit visible in one store of 8 bytes. Even: counters and rows are complete, the journal means
nothing. Odd: the journal is complete and goes over counters and rows, which are being brought up to date. It only
grows, so whoever reads it before and after everything else knows whether all was of one piece.
"""

from array import array
from collections.abc import Sequence

from caxton.links.ledger import BookView, Totals

WORD = 8
MAGIC = int.from_bytes(b"caxbook\n", "little")
VERSION = 1
AT_MAGIC, AT_VERSION, AT_OWNER, AT_COUNTERS, AT_CAPACITY, AT_ROWS, AT_PHASE, AT_PAIRS = range(8)

MAX_COUNTERS = 48
NAME_BYTES = 32
MAX_PEERS = 4_096
ROW_WORDS = 3

NAMES_START = 8
NAME_WORDS = NAME_BYTES // WORD
COUNTERS_START = NAMES_START + MAX_COUNTERS * NAME_WORDS
JOURNAL_START = COUNTERS_START + MAX_COUNTERS
FRONT_WORDS = JOURNAL_START


class Damage(ValueError):
    """A file that is no book, or no longer one; the text says what is wrong with it."""


def journal_pairs(capacity: int) -> int:
    """How many words one commit may change: every counter, every row, and the number of rows."""
    return MAX_COUNTERS + capacity * ROW_WORDS + 1


def rows_start(capacity: int) -> int:
    """The word at which the rows begin."""
    return JOURNAL_START + 2 * journal_pairs(capacity)


def total_words(capacity: int) -> int:
    """The size of a book with place for `capacity` rows, in words."""
    return rows_start(capacity) + capacity * ROW_WORDS


def front_of(owner: int, counters: Sequence[str], capacity: int) -> "array[int]":
    """Return the words before the journal, except for the magic, which is stored last.

    Raises ValueError for names that are too many, too long, empty or twice the same, and for a capacity out of bounds.
    """
    if not 1 <= capacity <= MAX_PEERS:
        raise ValueError(f"a book has place for 1 to {MAX_PEERS} peers, not {capacity}")
    if len(counters) > MAX_COUNTERS or len(set(counters)) != len(counters):
        raise ValueError(f"a book has at most {MAX_COUNTERS} counters of different names, not {len(counters)}")
    names = bytearray(MAX_COUNTERS * NAME_BYTES)
    for place, name in enumerate(counters):
        raw = name.encode()
        if not 1 <= len(raw) <= NAME_BYTES or 0 in raw:
            raise ValueError(f"the name of a counter has 1 to {NAME_BYTES} bytes, unlike {name!r}")
        names[place * NAME_BYTES : place * NAME_BYTES + len(raw)] = raw
    front = array("Q", [0, VERSION, owner, len(counters), capacity, 0, 0, 0])
    front.frombytes(bytes(names) + bytes(MAX_COUNTERS * WORD))
    return front


def check_front(front: Sequence[int], file_bytes: int) -> int:
    """Return how many rows the book has place for; raises Damage if this is not the front of a whole book."""
    if len(front) != FRONT_WORDS or front[AT_MAGIC] != MAGIC:
        raise Damage("not a book, or one that was never finished")
    if front[AT_VERSION] != VERSION:
        raise Damage(f"version {front[AT_VERSION]} of the layout; this one reads {VERSION}")
    capacity = front[AT_CAPACITY]
    if not 1 <= capacity <= MAX_PEERS or front[AT_COUNTERS] > MAX_COUNTERS or front[AT_ROWS] > capacity:
        raise Damage("its header claims more than a book can hold")
    if file_bytes != total_words(capacity) * WORD:
        raise Damage(f"{file_bytes} bytes where its header wants {total_words(capacity) * WORD}")
    if front[AT_PAIRS] > journal_pairs(capacity):
        raise Damage(f"a journal of {front[AT_PAIRS]} changes, beyond {journal_pairs(capacity)}")
    return capacity


def view(front: Sequence[int], rows: Sequence[int], journal: Sequence[int]) -> BookView:
    """Put the journal over counters and rows, and read what they say.

    `front` has been checked; `rows` are those in use by the front; `journal` is empty in an even phase. Raises Damage.
    """
    capacity = front[AT_CAPACITY]
    start = rows_start(capacity)
    words = dict(enumerate(front))
    words.update(enumerate(rows, start))
    for word, value in zip(journal[::2], journal[1::2], strict=True):
        if not (word == AT_ROWS or COUNTERS_START <= word < JOURNAL_START or start <= word < total_words(capacity)):
            raise Damage(f"its journal changes word {word}, which no commit does")
        words[word] = value
    if words[AT_ROWS] > capacity:
        raise Damage(f"{words[AT_ROWS]} rows in use, of {capacity}")
    links: dict[int, Totals] = {}
    for row in range(start, start + words[AT_ROWS] * ROW_WORDS, ROW_WORDS):
        peer = words.get(row, 0)
        if peer in links:
            raise Damage(f"peer {peer:x} has two rows")
        if peer:
            links[peer] = Totals(words.get(row + 1, 0), words.get(row + 2, 0))
    counters = {name: words[COUNTERS_START + place] for place, name in enumerate(_names(front))}
    return BookView(front[AT_OWNER], counters, links)


def _names(front: Sequence[int]) -> list[str]:
    raw = array("Q", front[NAMES_START:COUNTERS_START]).tobytes()
    try:
        names = [raw[at : at + NAME_BYTES].rstrip(b"\0").decode() for at in range(0, len(raw), NAME_BYTES)]
    except UnicodeDecodeError:
        raise Damage("the names of its counters are not UTF-8") from None
    names = names[: front[AT_COUNTERS]]
    if "" in names or len(set(names)) != len(names):
        raise Damage("the names of its counters are empty or repeated")
    return names
