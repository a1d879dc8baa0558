"""Settings as they hold in a runtime, each with where it comes from, and what of them changes while it serves."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from caxton.config.keys import BY_PATH, Kind
from caxton.config.log_levels import LogLevels, read_log_levels
from caxton.config.setting import Setting
from caxton.errors import ConfigurationError, ValidationError
from caxton.printable import shown

LOG_LEVEL, MODULE_LEVELS = "runtime.log_level", "runtime.log_levels"
MEMORY_LIMIT = "runtime.worker_memory_limit_mib"
CHANGEABLE = frozenset({LOG_LEVEL, MODULE_LEVELS, MEMORY_LIMIT})
# Where a setting comes from that was changed while the runtime serves.
CHANGED = "change"


def changed(settings: Sequence[Setting], values: Mapping[str, Any]) -> list[Setting]:
    """Return settings with other values. None is what holds where nobody sets it.

    Raises ValidationError for a name that there is not, or a value that cannot be; ConfigurationError for what does not
    change while the runtime serves.
    """
    for path, value in values.items():
        key = BY_PATH.get(path)
        if key is None:
            raise ValidationError("setting", f"{shown(path)} is none; see `caxton config show --effective`")
        if path not in CHANGEABLE:
            changing = ", ".join(sorted(CHANGEABLE))
            problem = f"it does not change while the runtime serves; {changing} do"
            raise ConfigurationError(path, problem, f"stop the runtime and serve again with {key.flag}")
        if value is None:
            continue
        if key.kind is Kind.WORD and value not in key.choices:
            raise ValidationError(path, f"{shown(value)} is not one of {key.bounds}")
        if key.kind is Kind.LEVELS:
            _check_levels(path, value)
        is_number = type(value) is int and key.least is not None and key.most is not None
        if key.kind is Kind.WHOLE and not (is_number and (key.least or 0) <= value <= (key.most or 0)):
            raise ValidationError(path, f"{shown(value)} is not a whole number, {key.bounds}")
    return [
        msgspec.structs.replace(one, value=values[one.key], source=CHANGED, place=None) if one.key in values else one
        for one in settings
    ]


def levels_of(settings: Sequence[Setting]) -> LogLevels:
    """Return from which levels on processes log, as these settings have it."""
    values = {one.key: one.value for one in settings}
    return LogLevels.of(values.get(LOG_LEVEL), values.get(MODULE_LEVELS))


def _check_levels(path: str, value: object) -> None:
    try:
        read_log_levels(value if isinstance(value, str) else "")
    except ConfigurationError as error:
        raise ValidationError(path, f"{error.problem}; {error.remedy}") from None
