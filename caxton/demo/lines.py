"""Reads a file of any bytes as texts that are small enough for one message each, and cut no word.

Pure but for the reads: nothing here knows what a word is beyond where one may be cut.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from caxton.errors import ValidationError

SPACES = b" \t\n\r\v\f"
# A splitter sends 255 words a turn and passes the rest of a text on to itself, behind what waits for it already: most
# texts of this size take it a turn or two.
MAX_TEXT_BYTES = 2 << 10
# What a counter has counted is its state, of at most 64 KiB.
MAX_WORD_BYTES = 60_000
_BLOCK_BYTES = 256 << 10
_SPACE = re.compile(rb"[ \t\n\r\v\f]")


class Text(NamedTuple):
    """A line, or a piece of one: `ends_line` is true for the last piece. All texts of a file together are the file."""

    content: bytes
    ends_line: bool


def texts(file: BinaryIO, name: str) -> Iterator[Text]:
    """Yield the lines of `file`, those beyond 2 KiB in pieces that end at white space.

    A longer piece is one word with the white space after it. Holds about as much in memory as the longest word and one
    block of 256 KiB. Raises ValidationError, with the offset, for a word beyond 60,000 bytes.
    """
    left, offset = b"", 0
    while block := file.read(_BLOCK_BYTES):
        *lines, left = (left + block).split(b"\n")
        for line in lines:
            line += b"\n"  # noqa: PLW2901 (the line as it stands in the file)
            if len(line) <= MAX_TEXT_BYTES:
                yield Text(line, ends_line=True)
            else:
                pieces, end = _cut(line, name, offset)
                yield from (Text(piece, ends_line=False) for piece in pieces)
                yield Text(end, ends_line=True)
            offset += len(line)
        pieces, end = _cut(left, name, offset)
        yield from (Text(piece, ends_line=False) for piece in pieces)
        offset += len(left) - len(end)
        left = end
    if left:
        yield Text(left, ends_line=True)


def _cut(text: bytes, name: str, offset: int) -> tuple[list[bytes], bytes]:
    """Return pieces of `text`, each at most 2 KiB or one long word, and its end, which may go on in the next block.

    The end of a text that is not empty is not empty.
    """
    pieces = []
    start = 0
    while len(text) - start > MAX_TEXT_BYTES:
        cut = 1 + max(text.rfind(space, start, start + MAX_TEXT_BYTES) for space in SPACES)
        if cut == 0:
            space = _SPACE.search(text, start + MAX_TEXT_BYTES)
            if (len(text) if space is None else space.start()) - start > MAX_WORD_BYTES:
                problem = f"the word at byte {offset + start} is longer than {MAX_WORD_BYTES} bytes"
                raise ValidationError(name, f"{problem}, the most that a counter has room for")
            cut = len(text) if space is None else space.end()
            if cut == len(text):
                break
        pieces.append(text[start:cut])
        start = cut
    return pieces, text[start:]
