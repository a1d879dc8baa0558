"""A setting as it holds in a runtime."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from caxton.errors import ConfigurationError

# What an error about all of them is about.
SETTINGS = "settings"


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


def tag_of(settings: Sequence[Setting]) -> str:
    """Return what tells these settings from others: 32 hex digits."""
    return hashlib.sha256(msgspec.json.encode(msgspec.to_builtins(settings))).hexdigest()[:32]


def check_seen(settings: Sequence[Setting], tag: str) -> None:
    """Raise ConfigurationError unless these are the settings that somebody has seen; whatever has no tag is those."""
    if tag and tag != tag_of(settings):
        raise ConfigurationError(SETTINGS, "they are others by now", "look at them again")
