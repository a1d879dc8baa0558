"""Tables as lines of text: columns as wide as what stands in them, row after row, so that a long one can stream."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from caxton.printable import printable

_GAP = "  "
# A cell beyond it is cut; whoever wants all of it asks for JSON.
LONGEST_CELL = 2_000


class Columns:
    """Lays out rows. What stands in a cell is text and nothing else: what does not print is escaped.

    Rows come in pages: each page is measured, so columns grow from page to page and never shrink. Without names there
    is no line of names.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = [*names] if any(names) else []
        self._widths = [_width(name) for name in names]

    def page(self, rows: Iterable[Sequence[object]]) -> Iterator[str]:
        """Return the lines of some rows; before the first of them the line of names."""
        cells = [[_cell(value) for value in row] for row in rows]
        for row in cells:
            self._widths = [max(width, _width(cell)) for width, cell in zip(self._widths, row, strict=True)]
        if self._names:
            yield self._line(self._names)
            self._names = []
        yield from map(self._line, cells)

    def _line(self, cells: Sequence[str]) -> str:
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(cells, self._widths, strict=True))
        return _GAP.join(padded).rstrip()


def _cell(value: object) -> str:
    return "" if value is None else printable(str(value), LONGEST_CELL)


def _width(text: str) -> int:
    """Return how many places a terminal needs for printable text."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in {"W", "F"}) for c in text)
