"""A setting as it holds in a runtime."""

from typing import Any

import msgspec


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting as it holds. value: None where nobody sets it and there is no default. place: where in its source.

    source: flag, environment, file, preset or default; or change, of what was changed while the runtime serves. sets:
    what it bounds, where its name does not say. changeable: whether it may be changed while the runtime serves.
    """

    key: str
    value: Any
    source: str
    place: str | None = None
    sets: str | None = None
    changeable: bool = False
