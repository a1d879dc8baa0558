"""The levels of the gateway's log, when they have changed: the supervisor says that they have, and is asked."""

import asyncio
import logging

from caxton.config.effective import levels_of
from caxton.errors import CaxtonError
from caxton.gateway.clients import Clients
from caxton.lines import log_from
from caxton.wire.gateway_spec import SETTINGS_CHANGED

log = logging.getLogger("caxton.gateway")


class Levels:
    """Listens for the supervisor's signal from when it is made on. clients: of the runtime; principal: who asks."""

    def __init__(self, clients: Clients, principal: str) -> None:
        self._clients = clients
        self._principal = principal
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(SETTINGS_CHANGED, self._changed.set)

    async def follow(self) -> None:
        """Log as the settings have it, whenever they have changed, until this is cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with self._clients.acting_for(self._principal) as client:
                    levels = levels_of(await client.settings())
            except CaxtonError as error:
                log.warning("settings have changed, and are not told: %s", error)
            else:
                log_from(levels.of_others, levels.modules)
