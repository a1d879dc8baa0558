"""From which level on processes log, and modules of them that log from another one on. Pure: nothing is set here."""

import logging
from dataclasses import dataclass, field
from typing import Any

from caxton.errors import ConfigurationError
from caxton.lines import MODULES
from caxton.printable import shown

LOG_LEVELS = ("debug", "info", "warning", "error")
LEVELS_OPTION = "--log-levels"
_LIKE = f"write a module and a level, such as guest=debug,gateway=info; the modules are {', '.join(MODULES)}"


@dataclass(frozen=True)
class LogLevels:
    """level: as in `logging`, None for info in workers and warning elsewhere. modules: those that have their own."""

    level: int | None = None
    modules: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, level: str | None, modules: str | None) -> "LogLevels":
        """Return what two settings say, None for one that nobody has set. Raises ConfigurationError."""
        return cls(None if level is None else _number(level), {} if modules is None else read_log_levels(modules))

    @property
    def of_workers(self) -> int:
        """From which level on workers log."""
        return logging.INFO if self.level is None else self.level

    @property
    def of_others(self) -> int:
        """From which level on the supervisor and the gateway log."""
        return logging.WARNING if self.level is None else self.level


DEFAULT_LEVELS = LogLevels()


def read_log_levels(text: str) -> dict[str, int]:
    """Return the levels of modules, as `logging` has them. Raises ConfigurationError."""
    found: dict[str, int] = {}
    for part in text.split(","):
        module, _, level = (word.strip() for word in part.partition("="))
        if module not in MODULES or module in found or level not in LOG_LEVELS:
            why = "is there twice" if module in found else "is no module with a level"
            raise ConfigurationError(LEVELS_OPTION, f"{shown(part.strip())} {why}", _LIKE)
        found[module] = _number(level)
    return found


def _number(level: Any) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
