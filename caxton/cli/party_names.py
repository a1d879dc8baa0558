"""What agents and clients are called, found out without holding up who shows something else with it."""

import asyncio
from collections.abc import Callable
from time import monotonic

from caxton.client.client import Client
from caxton.errors import AgentNotFound, CaxtonError
from caxton.ids import AgentId

# Names that are remembered.
MOST_NAMES = 10_000
# How long a name may take to be found out; and for how long nobody's is asked for after one that was not.
ANSWER_S, LEFT_ALONE_S = 1.0, 10.0


class PartyNames:
    """now_s: the monotonic clock."""

    def __init__(self, client: Client, now_s: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._now_s = now_s
        self._known: dict[AgentId, str] = {}
        self._ask_again_s = now_s()

    async def of(self, party: AgentId | None) -> str:
        """Return the name of an agent that is there; its id, where no shard says it soon, or there is none."""
        if party is None or party.is_session:
            return f"client {party}"
        known = self._known.get(party)
        if known is not None:
            return known
        if self._now_s() >= self._ask_again_s:
            await self._ask(party)
        return self._known.get(party, str(party))

    async def _ask(self, party: AgentId) -> None:
        if len(self._known) >= MOST_NAMES:
            self._known.clear()
        try:
            async with asyncio.timeout(ANSWER_S):
                self._known[party] = (await self._client.inspect(party)).name
        except AgentNotFound:
            self._known[party] = str(party)
        except (CaxtonError, TimeoutError):  # its shard may be on its way back, as after a restart
            self._ask_again_s = self._now_s() + LEFT_ALONE_S
