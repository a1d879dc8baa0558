"""What the screen shows of all that is known, as keys change it. No terminal in here."""

import re
from dataclasses import dataclass, replace

from caxton.wire.busy import BusyBy

MOST_FILTER = 60
ESCAPE = "\x1b"
# What terminals send for keys that are no characters: arrows and the like. Alone it is the key Escape.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~])")
_ENTER, _RUB_OUT = {"\r", "\n"}, {"\x7f", "\b"}
_SORTS = {"t": BusyBy.TURNS, "u": BusyBy.TIME, "f": BusyBy.FAILURES, "m": BusyBy.MAILBOX}
KEYS = "q quit; sort by t turns, u time used, f failures, m mailbox; / filter; p pause"
KEYS_OF_FILTER = "Enter takes it, Escape ends it"


@dataclass(frozen=True)
class View:
    """by: what the agents stand in order of. wanted: only those whose names have this in them; typing: it is typed."""

    by: BusyBy = BusyBy.TURNS
    wanted: str = ""
    typing: bool = False
    paused: bool = False
    quits: bool = False

    def after(self, key: str) -> "View":
        """Return the view after a key; one that means nothing changes nothing."""
        if self.typing:
            return self._typed(key)
        if key in _SORTS:
            return replace(self, by=_SORTS[key])
        after = {
            "q": replace(self, quits=True),
            "p": replace(self, paused=not self.paused),
            "/": replace(self, typing=True),
            ESCAPE: replace(self, wanted=""),
        }
        return after.get(key, self)

    def shows(self, name: str) -> bool:
        """Whether an agent of this name is wanted, in whichever case it is typed."""
        return self.wanted.casefold() in name.casefold()

    def _typed(self, key: str) -> "View":
        if key in _ENTER:
            return replace(self, typing=False)
        if key == ESCAPE:
            return replace(self, typing=False, wanted="")
        if key in _RUB_OUT:
            return replace(self, wanted=self.wanted[:-1])
        if key.isprintable() and len(self.wanted) < MOST_FILTER:
            return replace(self, wanted=self.wanted + key)
        return self


def keys_of(raw: bytes) -> list[str]:
    """Return the keys that a terminal has sent; what is no character of UTF-8, and arrows, are left out."""
    return list(_SEQUENCE.sub("", raw.decode(errors="ignore")))
