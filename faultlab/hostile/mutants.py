"""Makes other modules of a module: byte by byte, or by what the bytes mean. The same dice make the same mutant."""

import random
from collections.abc import Callable
from typing import NamedTuple

_PREAMBLE = 8
_MORE = 0x80  # of a LEB128 number's bytes: another follows
_CODE = 10
# Opcodes of one byte that take and give the same: comparisons and arithmetic of i32, then of i64; and unreachable, nop,
# return, for what may stand where nothing is wanted.
_ALIKE = [range(0x46, 0x50), range(0x6A, 0x79), range(0x51, 0x5B), range(0x7C, 0x8B), (0x00, 0x01, 0x0F)]
_LIKE = {opcode: tuple(alike) for alike in _ALIKE for opcode in alike}
_CONSTANTS = {0x41, 0x42}
_EXTREMES = [0, 1, -1, 63, 64, 65_535, 65_536, 131_072, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63)]


class Section(NamedTuple):
    """One section of a module: its kind, and what it holds."""

    kind: int
    content: bytes


def mutant(wasm: bytes, dice: random.Random) -> bytes:
    """Return a module that differs from `wasm`, in one way or in several."""
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        wasm = dice.choice(_WAYS)(wasm, dice)
    return wasm


def sections(wasm: bytes) -> list[Section]:
    """Return the sections of a module as far as their lengths make sense."""
    found, at = [], _PREAMBLE
    while at < len(wasm):
        size, start = _read(wasm, at + 1)
        found.append(Section(wasm[at], wasm[start : start + size]))
        at = start + size
    return found


def _byte(wasm: bytes, dice: random.Random) -> bytes:
    changed = bytearray(wasm or b"\0")
    changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def _bit(wasm: bytes, dice: random.Random) -> bytes:
    changed = bytearray(wasm or b"\0")
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _cut(wasm: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(wasm) + 1)
    return wasm[:start] + wasm[start + dice.randint(1, 16) :]


def _again(wasm: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(wasm) + 1)
    return wasm[:start] + wasm[start : start + dice.randint(1, 64)] + wasm[start:]


def _moved_section(wasm: bytes, dice: random.Random) -> bytes:
    some = sections(wasm)
    dice.shuffle(some)
    return _joined(wasm, some)


def _section_gone_or_twice(wasm: bytes, dice: random.Random) -> bytes:
    some = sections(wasm)
    if some:
        place = dice.randrange(len(some))
        some[place : place + 1] = [some[place]] * dice.choice((0, 2, 3))
    return _joined(wasm, some)


def _length_that_lies(wasm: bytes, dice: random.Random) -> bytes:
    """Let the first number in a section, how many there are in it, be another one."""
    some = sections(wasm)
    if some:
        place = dice.randrange(len(some))
        kind, content = some[place]
        _, start = _read(content, 0)
        some[place] = Section(kind, _number(abs(dice.choice(_EXTREMES)) & 0xFFFF_FFFF) + content[start:])
    return _joined(wasm, some)


def _instruction(wasm: bytes, dice: random.Random) -> bytes:
    """Put an instruction that takes and gives the same in the place of one in the code."""

    def changed(code: bytes, at: int) -> bytes:
        return code[:at] + bytes([dice.choice(_LIKE[code[at]])]) + code[at + 1 :]

    return _in_code(wasm, dice, set(_LIKE), changed)


def _constant(wasm: bytes, dice: random.Random) -> bytes:
    """Put another number in the place of a constant in the code: as long as it was, or one at its limits."""

    def changed(code: bytes, at: int) -> bytes:
        _, end = _read(code, at + 1)
        as_long = [number for number in map(_signed, _EXTREMES) if len(number) == end - at - 1]
        other = bytes(dice.randrange(_MORE) | _MORE * (place < end - 1) for place in range(at + 1, end))
        return code[: at + 1] + dice.choice([*as_long, other, _signed(dice.choice(_EXTREMES))]) + code[end:]

    return _in_code(wasm, dice, _CONSTANTS, changed)


def _in_code(wasm: bytes, dice: random.Random, wanted: set[int], change: Callable[[bytes, int], bytes]) -> bytes:
    """Change one of the bytes of the code that are `wanted`; lengths of bodies may be wrong then, and should be."""
    some = sections(wasm)
    for place, (kind, code) in enumerate(some):
        places = [at for at, byte in enumerate(code) if byte in wanted] if kind == _CODE else []
        if places:
            some[place] = Section(kind, change(code, dice.choice(places)))
    return _joined(wasm, some)


def _joined(wasm: bytes, some: list[Section]) -> bytes:
    return wasm[:_PREAMBLE] + b"".join(bytes([kind]) + _number(len(content)) + content for kind, content in some)


def _read(data: bytes, at: int) -> tuple[int, int]:
    """Return the unsigned LEB128 number at `at`, and where it ends; what is cut short ends with the data."""
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < _MORE:
            break
    return value, at


def _number(value: int) -> bytes:
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & 0x7F | _MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _signed(value: int) -> bytes:
    encoded = bytearray()
    while not -_MORE // 2 <= value < _MORE // 2:
        encoded.append(value & 0x7F | _MORE)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)


_WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _byte,
    _bit,
    _cut,
    _again,
    _moved_section,
    _section_gone_or_twice,
    _length_that_lies,
    *[_instruction] * 4,  # most mutants are to be modules still
    *[_constant] * 4,
)
