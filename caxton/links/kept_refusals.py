"""The refusals of the durable lane: told only when the target's file has them, and told again after its restart."""

from typing import Annotated

import msgspec

from caxton.errors import CaxtonError, InvalidMessageFormat
from caxton.links.refusals import Refusals
from caxton.wire.link_state import MAX_REFUSALS, Refusal

_VERSION = b"\x01"


class _Kept(msgspec.Struct, array_like=True, frozen=True):
    """As it stands in the file: how many the source has confirmed, and those that wait for it, oldest first."""

    confirmed: Annotated[int, msgspec.Meta(ge=0)]
    waiting: list[Refusal]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


class KeptRefusals(Refusals):
    """Refusals in the order of their sequences, numbered from 0 over all lives of the target.

    `keep` gives the new ones their numbers: from then on they neither grow nor change their places, because a file may
    have them. None is ever left out for want of room; whoever refuses takes nothing more while too many wait.
    """

    __slots__ = ("_encoded", "_last_kept", "_new")

    def __init__(self, stored: bytes | None = None) -> None:
        """Begin with none, or with what `encoded` gave to an earlier life; raises InvalidMessageFormat."""
        super().__init__()
        self._new: list[Refusal] = []
        self._encoded = stored
        self._last_kept = 0  # the last sequence that a numbered refusal names
        if stored is not None:
            kept = _read(stored)
            self.confirmed = kept.confirmed
            self._waiting.extend(kept.waiting)
            self._told = kept.confirmed + len(kept.waiting)  # an earlier life may have told all of them
            self._last_kept = max((r.sequence + r.count - 1 for r in kept.waiting), default=0)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._new)

    @property
    def lowest(self) -> int | None:
        """The lowest sequence among those that wait, or None."""
        sequences = [self._waiting[0].sequence] if self._waiting else []
        return min([*sequences, *(new.sequence for new in self._new)], default=None)

    def add(self, sequence: int, count: int, error: CaxtonError) -> None:
        """Note why `count` messages from `sequence` on were not placed."""
        self._new.append(self._refusal(sequence, count, error))

    def keep(self, last: int) -> None:
        """Number the new ones up to the sequence `last`, in order; none is added at or before it any more."""
        if not self._new:
            return
        later: list[Refusal] = []
        merged: list[Refusal] = []
        for new in sorted(self._new, key=lambda refusal: refusal.sequence):
            if new.sequence > last:
                later.append(new)
            elif new.sequence > self._last_kept:  # the first word on a sequence stands
                self._last_kept = new.sequence + new.count - 1
                _append(merged, new)
        self._new = later
        if merged:
            self._waiting.extend(merged)
            self._encoded = None

    def page_to(self, last: int) -> tuple[list[Refusal], int | None]:
        """Return the oldest up to the sequence `last`, at most 256, and the lowest refused one that is not among them.

        What is up to `last` is in the file, and a target whose file is gone tells nobody.
        """
        self.keep(last)
        shown: list[Refusal] = []
        for refusal in self._waiting:
            if len(shown) == MAX_REFUSALS or refusal.sequence + refusal.count - 1 > last:
                return shown, self._show(len(shown), refusal.sequence)
            shown.append(refusal)
        return shown, self._show(len(shown), min((new.sequence for new in self._new), default=None))

    def confirm(self, seen: int) -> bool:
        """Forget the first `seen` of all that were ever made. False when that many were never told."""
        before = self.confirmed
        possible = super().confirm(seen)
        if self.confirmed > before:
            self._encoded = None
        return possible

    def encoded(self) -> bytes | None:
        """Return what a later life needs: the numbered ones that wait, and how many are confirmed; None for nothing."""
        if self._encoded is None and (self.confirmed or self._waiting):
            self._encoded = _VERSION + _encode(_Kept(self.confirmed, list(self._waiting)))
        return self._encoded

    def _show(self, count: int, unfit: int | None) -> int | None:
        self._told = max(self._told, self.confirmed + count)
        return unfit


def _append(merged: list[Refusal], new: Refusal) -> None:
    """Add a refusal, as one with its neighbour where they say the same."""
    last = merged[-1] if merged else None
    if (
        last is not None
        and last.sequence + last.count == new.sequence
        and last.error == new.error
        and last.fields == new.fields
    ):
        merged[-1] = Refusal(last.sequence, last.count + new.count, last.error, last.fields)
    else:
        merged.append(new)


def _read(stored: bytes) -> _Kept:
    if stored[:1] != _VERSION:
        raise InvalidMessageFormat("kept refusals", f"version {stored[:1]!r}; this one reads {_VERSION!r}")
    try:
        return _decode(stored[1:])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidMessageFormat("kept refusals", str(error)) from None
