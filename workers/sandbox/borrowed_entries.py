"""Refuses modules whose entry points are the host's own functions.

An import may be exported again, or be the start function. The host would then call itself, without a guest, its fuel or
its memory. Wasmtime tells the types of exports and not where they come from, so the binary is read.
"""

from collections.abc import Collection, Iterator

from caxton.errors import InvalidModule

_PREAMBLE = 8
_EXPORTS, _START = 7, 8
_FUNCTION = 0
# What an error calls the function that a module's start section names; no export is called so by accident.
START = "(start)"


def check(wasm: bytes, agent: str, imported: int, entry_points: Collection[str]) -> None:
    """Raise InvalidModule when an entry point, or the start function, is one of the `imported` functions.

    wasm: a module that was compiled, so its binary is well-formed, and that imports functions only.
    """
    watched = {*entry_points, START}
    borrowed = tuple(name for name, function in _entries(wasm) if function < imported and name in watched)
    if borrowed:
        raise InvalidModule(agent, "it has an import as an entry point, which must be a function of its own", borrowed)


def _entries(wasm: bytes) -> Iterator[tuple[str, int]]:
    """Yield the name and index of each function that is exported, and of the start function, as `(start)`."""
    at = _PREAMBLE
    while at < len(wasm):
        section = wasm[at]
        size, at = _number(wasm, at + 1)
        if section == _EXPORTS:
            yield from _exports(wasm, at)
        elif section == _START:
            yield START, _number(wasm, at)[0]
        at += size


def _exports(wasm: bytes, at: int) -> Iterator[tuple[str, int]]:
    count, at = _number(wasm, at)
    for _ in range(count):
        length, at = _number(wasm, at)
        name, kind = wasm[at : at + length].decode(), wasm[at + length]
        index, at = _number(wasm, at + length + 1)
        if kind == _FUNCTION:
            yield name, index


def _number(wasm: bytes, at: int) -> tuple[int, int]:
    """Return the unsigned LEB128 number at `at`, and where it ends."""
    value = shift = 0
    while True:
        byte = wasm[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 # the top bit says that more follows
            return value, at
