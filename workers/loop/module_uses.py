"""Which modules agents of this shard are made from, marked on the disk: the supervisor removes what nobody uses."""

import asyncio
import logging
import time

from caxton.errors import StorageError
from workers.agents.registry import Registry
from workers.sandbox.modules import Modules
from workers.worker_pass import NS_PER_MS

# Much less than the time after which a module that is not marked may go.
PERIOD_S = 60.0
log = logging.getLogger("caxton.worker")


class ModuleUses:
    """Owned by the worker's loop. marked_ms: when a round began that marked them all (ms since 1970), 0 for never."""

    def __init__(self, registry: Registry, modules: Modules) -> None:
        self._registry = registry
        self._modules = modules
        self.marked_ms = 0

    async def run(self) -> None:
        """Mark them once a minute, for ever."""
        while True:
            await self.mark()
            await asyncio.sleep(PERIOD_S)

    async def mark(self) -> None:
        """Mark every module that an agent is made from. One that is deployed meanwhile is marked by its deployment."""
        began_ms = time.time_ns() // NS_PER_MS
        try:
            await asyncio.to_thread(self._modules.touch_all, list(self._registry.modules))
        except StorageError as error:
            log.warning("modules are not marked as used, so none is removed: %s", error)
        else:
            self.marked_ms = began_ms
