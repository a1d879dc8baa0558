"""What the runtime is told, and what of it is changed while it serves."""

from collections.abc import Sequence
from typing import Any

import msgspec

from caxton.config.effective import LOG_LEVEL, MEMORY_LIMIT, MODULE_LEVELS, changed, levels_of
from caxton.config.setting import Setting, check_seen
from caxton.lines import log_from
from caxton.supervisor.gateway.host import GatewayHost
from caxton.supervisor.workforce.workforce import Workforce
from caxton.wire.supervision import AskSettings, ChangeSettings, Told


class SettingsDesk:
    """Tells and changes settings; what was changed holds until the runtime ends."""

    def __init__(self, settings: Sequence[Setting], workforce: Workforce, gateway: GatewayHost | None) -> None:
        self._settings = [*settings]
        self._workforce = workforce
        self._gateway = gateway

    def answer(self, request: AskSettings | ChangeSettings) -> Told:
        """Return every setting as it holds now. Raises what `changed` and `check_seen` do: then nothing was changed."""
        if isinstance(request, ChangeSettings):
            check_seen(self._settings, request.tag)
            self._settings = changed(self._settings, request.values)
            for key, value in request.values.items():
                self._apply(key, value)
        return Told({"settings": msgspec.to_builtins(self._settings)})

    def _apply(self, key: str, value: Any) -> None:
        if key in {LOG_LEVEL, MODULE_LEVELS}:
            levels = levels_of(self._settings)
            log_from(levels.of_others, levels.modules)
            self._workforce.log_from(levels)
            if self._gateway is not None:
                self._gateway.log_from(levels)
        elif key == MEMORY_LIMIT:
            self._workforce.memory_limit.limit_bytes = None if value is None else value << 20
