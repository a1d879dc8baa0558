"""The ways to agents of other nodes that one shard knows, on disk."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from caxton.store.counters import ROWS, add_to_counter
from caxton.store.database import Database
from caxton.store.integers import bounded, signed, unsigned
from caxton.store.seal import BrokenSeal, number_of, seal, unseal
from caxton.store.statements import Row, delete, insert

_ROWS = f"{ROWS}routes"


class Route(NamedTuple):
    """node_id: the node that has an agent. hops: nodes on the way to it. updated_ms: since when, by the wall clock."""

    node_id: str
    hops: int
    updated_ms: int


class StoredRoutes:
    """Saves, removes and loads ways; each call is one transaction. Raises StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, routes: Mapping[int, Route]) -> None:
        """Store ways, by agent, in place of what was known of these agents."""
        rows = [route_row(agent_id, route) for agent_id, route in routes.items()]

        def write(db: sqlite3.Connection) -> None:
            before = _delete(db, routes)
            insert(db, "routes", rows)
            add_to_counter(db, _ROWS, len(rows) - before)

        await self._database.write(write)

    async def remove(self, agent_ids: Iterable[int]) -> None:
        """Forget the ways to these agents."""
        await self._database.write(lambda db: add_to_counter(db, _ROWS, -_delete(db, agent_ids)))

    async def load(self) -> dict[int, Route]:
        """Return every way, by agent."""
        return await self._database.run(lambda db: dict(read_routes(db)))


def read_routes(db: sqlite3.Connection) -> Iterator[tuple[int, Route]]:
    """Every way, by agent; raises BrokenSeal for one that is not what was written."""
    for agent_id, node, updated, hops, sealed in db.execute("SELECT * FROM routes NOT INDEXED"):
        if not isinstance(node, str):
            raise BrokenSeal(f"the way to agent {agent_id} has a node that is no text")
        unseal(sealed, agent_id, updated, hops, number_of(node.encode()))
        yield unsigned(agent_id), Route(node, hops, updated)


def route_row(agent_id: int, route: Route) -> Row:
    """Columns: agent_id, node_id, updated_at, hops, seal."""
    numbers = signed(agent_id), bounded(route.updated_ms), bounded(route.hops)
    check = seal(b"", *numbers, number_of(route.node_id.encode()))
    return numbers[0], route.node_id, *numbers[1:], check


def _delete(db: sqlite3.Connection, agent_ids: Iterable[int]) -> int:
    gone = [(signed(agent_id),) for agent_id in agent_ids]
    return delete(db, "routes", gone, "agent_id")
