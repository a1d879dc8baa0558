"""Another number of shards: the content of every table is compared, by key, before and after."""

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing

import msgspec
import pytest

from caxton.acl.envelope import DURABLE, Envelope, Rare
from caxton.agents.lifecycle import AgentState
from caxton.agents.limits import Limits
from caxton.agents.manifest import Manifest
from caxton.placement.slot_table import SlotTable
from caxton.store import dead_letters, recovered
from caxton.store.agents import StoredAgents
from caxton.store.commit import AbsenceRow, Commit, DeadRow, KeyRow, QueueRow, SourceRow, UnfinishedRow
from caxton.store.counters import SERVED, read_counters
from caxton.store.ledger import check
from caxton.store.meta import read_meta
from caxton.store.routes import Route, StoredRoutes, read_routes
from caxton.store.shard_store import ShardStore
from caxton.store.waiting import Waiting, encode_waiting, root_of
from caxton.supervisor.premises.identity import Identity
from caxton.supervisor.premises.reshard import reshard
from caxton.wire.calls import Failed

SESSION = 1 << 63 | 5
AGENTS = range(5_000, 5_090)
REASONS = ("trap", "fuel", "deadline")
NOW_MS = 4_102_444_800_000


def quiet(_done, _total):
    pass


class Filler:
    """Fills one shard with what its agents have; every value says whose it is."""

    def __init__(self, shard, agents):
        self.agents, self.served_ms = agents, 100_000 + 7_000 * shard
        self.commit, self.number = Commit(), 0
        self.accepted = Counter()

    def own(self):
        self.number += 1
        return self.number

    def message(self, agent, place):
        sender = SESSION if place % 2 else self.agents[0]
        text, rare = f"{agent} {place}".encode(), Rare(ontology=f"about {agent}") if place % 3 else None
        return Envelope(agent.to_bytes(8) + place.to_bytes(8), 7, sender, agent, text, flags=DURABLE, rare=rare)

    def accept(self, place):
        self.accepted["accepted_clients" if place % 2 else "accepted_agents"] += 1

    def waiting(self, agent, place, attempts=0):
        self.accept(place)
        times = (self.served_ms - agent, self.served_ms + 40 * agent) if place % 4 else (-1, -1)
        return Waiting(self.message(agent, place), 0, 0, attempts, attempts + 1, REASONS[:attempts], *times)

    def fill(self, file):
        commit, agents = self.commit, self.agents
        for at, agent in enumerate(agents):
            commit.states[agent] = f"state of {agent}".encode() * (1 + at)
            commit.absences[agent] = AbsenceRow(at, -1 if at % 2 else self.served_ms - 10 * at)
            answer = msgspec.msgpack.encode(self.message(agent, 99)) if at % 3 else None
            commit.keys[agent, b"key %d" % at] = KeyRow(agent, b"key %d" % at, self.served_ms + agent, answer)
            if at % 5 == 0:
                commit.charges[0, agent] = 1 + at % 3
            self.dead(agent, at)
        row = self.own()
        shared = [self.waiting(agent, place) for place in (1, 2) for agent in agents]
        commit.unfinished = [UnfinishedRow(row, len(shared), encode_waiting(shared))]
        commit.done = {row: (b"\x05", 2)}
        self.accepted["processed"] += 2
        first, third = self.own(), self.own()
        commit.queued[first] = self.queued(first, agents[0], 3, row, 0)
        commit.queued[third] = self.queued(third, agents[1], 4, 0, 0)
        commit.charges[file, root_of(third)] = 2
        commit.charges[file, root_of(row, 3)] = 1
        commit.sources = {SESSION: SourceRow(9, None)}
        commit.next_number = self.own()
        commit.counts = Counter(self.accepted)
        commit.counts[SERVED] = self.served_ms

    def queued(self, number, agent, place, row, at):
        message = encode_waiting([self.waiting(agent, place, 2)])
        return QueueRow(number, agent, 5, 2, NOW_MS + agent, NOW_MS - agent, message, row, at)

    def dead(self, agent, at):
        self.accept(50)
        message, number = msgspec.msgpack.encode(self.message(agent, 50)), self.own()
        error = Failed("WasmExecutionFailed", {"agent": f"a{agent}", "trap": "unreachable", "detail": ""})
        who = self.agents[0], agent, 9, message, None
        self.commit.dead[number] = DeadRow(number, "retry_limit", error, at % 4, NOW_MS + at, *who, REASONS[: at % 4])
        self.accepted["dead"] += 1


async def fill(path, shards):
    table = SlotTable.even(shards)
    for shard in range(shards):
        own = [agent for agent in AGENTS if table.shard_of(agent) == shard]
        store = await ShardStore.open(path / f"shard-{shard}.db", shard)
        for at, agent in enumerate(own):
            manifest = Manifest(f"agent {agent}", agent.to_bytes(32), capabilities=(f"c{agent}",))
            if at % 2:
                manifest = msgspec.structs.replace(manifest, limits=Limits(max_fuel=20_000 + agent), escalate_to="boss")
            state = list(AgentState)[at % len(AgentState)]
            await StoredAgents(store.database).add([(agent, manifest)], NOW_MS + agent, state)
        await StoredRoutes(store.database).save({agent: Route(f"node {agent}", agent % 3, agent) for agent in own[::4]})
        filler = Filler(shard, own)
        filler.fill(store.file_id)
        await store.commit(filler.commit)
        ledger = await store.ledger()
        assert check([ledger]).shards[shard].problems == []
        await store.close()


def relative(waiting, served_ms):
    """A message and all that is known of it, its times as they were before the end of the served time."""
    fields = msgspec.structs.asdict(waiting)
    for name in ("came_ms", "due_ms"):
        fields[name] = fields[name] if fields[name] < 0 else fields[name] - served_ms
    return fields


def of_shard(path, shard):
    """What one file holds, by table and key; no numbers of rows, which are the file's own."""
    with closing(sqlite3.connect(path)) as db:
        served_ms, file = read_counters(db)[SERVED], read_meta(db).file_id
        charges = dict(recovered.read_charges(db))
        found = [
            *recovered.in_unfinished(db, recovered.read_unfinished(db)),
            *sorted(recovered.in_queue(db), key=lambda one: one[0].number),
        ]
        waits, charged = {}, {agent: deaths for (source, agent), deaths in charges.items() if source == 0}
        for at, waiting in found:
            row = None if isinstance(at, recovered.InUnfinished) else (at.next_retry_ms, at.created_ms)
            key = waiting.message.message_id
            assert key not in waits
            waits[key] = row, relative(waiting, served_ms)
            deaths = charges.get((file, root_of(at.number, 0 if row else at.place)))
            charged |= {} if deaths is None else {key: deaths}
        return {
            "agents": {row[0]: row for row in db.execute("SELECT * FROM agents")},
            "versions": {row[:2]: row for row in db.execute("SELECT * FROM agent_versions")},
            "routes": dict(read_routes(db)),
            "states": dict(recovered.read_states(db)),
            "absences": {
                agent: (row.away_ms, row.since_ms if row.since_ms < 0 else row.since_ms - served_ms)
                for agent, row in recovered.read_absences(db)
            },
            "keys": {
                (row.receiver, row.key): (row.expires_ms - served_ms, row.answer) for row in recovered.read_keys(db)
            },
            "letters": {msgspec.msgpack.decode(row.message)[0]: row[1:] for row in dead_letters.every_row(db)},
            "waiting": waits,
            "charges": charged,
            "counters": {
                name: value
                for name, value in read_counters(db).items()
                if value and name not in {SERVED, "rows.sources"}  # links begin anew
            },
        }


def content(path):
    """What all files hold together: nothing stands in two of them, and all of an agent stands where it belongs."""
    shards = Identity.open(path, None, 1).shards
    whole, table = {}, SlotTable.even(shards)
    for shard in range(shards):
        for kind, rows in of_shard(path / f"shard-{shard}.db", shard).items():
            if kind == "counters":
                whole[kind] = whole.get(kind, Counter()) + Counter(rows)
                continue
            assert not rows.keys() & whole.get(kind, {}).keys()
            if kind in {"agents", "routes", "states", "absences"}:
                assert {table.shard_of(agent) for agent in rows} <= {shard}
            whole.setdefault(kind, {}).update(rows)
    return whole


@pytest.mark.parametrize("shards", [1, 2])
def test_every_table_has_the_same_content_before_and_after(tmp_path, shards):
    """Values, not only numbers of rows: answers of keys, reasons of retries, states, and what remained of each time."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    Identity.open(path, shards, 1)
    asyncio.run(fill(path, shards))
    before = content(path)
    assert all(len(rows) > 3 for rows in before.values()), "there is something in each"
    for after in (3, 1 if shards == 2 else 2, shards):
        reshard(path, after, quiet)
        found = content(path)
        for kind, rows in before.items():
            assert found[kind] == rows, kind
