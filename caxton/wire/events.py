"""What happened in a runtime: facts in the past tense, of the supervisor and of all shards, one after the other."""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Id
from caxton.wire.calls import Fields

SEVERITIES = ("info", "warning", "error")
# Every kind there is, and what it says. docs/events.md shows them, and a test holds both to the code.
KINDS = {
    "agent_attached": "a program runs an agent's turns",
    "agent_broken": "an agent failed again and again, and its circuit breaker keeps messages from it for a while",
    "agent_deployed": "a sandboxed agent is registered",
    "agent_drained": "an agent has finished what it had, and is stopped; or its time for that was over",
    "agent_draining": "an agent takes nothing new, and finishes what it has",
    "agent_failed": "workers died in an agent's turns: it runs no more until somebody resumes it",
    "agent_mended": "an agent that was broken handled a message",
    "agent_paused": "an agent runs no turn until it is resumed",
    "agent_registered": "an agent is registered whose turns a program runs",
    "agent_removed": "an agent is stopped and forgotten",
    "agent_resumed": "an agent that was paused, or that failed, runs again",
    "agent_stopped": "an agent takes no more messages",
    "audit_begun": "the supervisor's part of the audit begins anew, because there was none",
    "call_failed": "a call to the supervisor met an error that nobody foresaw",
    "compiler_died": "the compiler process ended before it had work",
    "drain_started": "the runtime takes nothing new from clients, and finishes what it has",
    "events_missed": "events that nobody can read any more: `fields` say how many",
    "file_put_back": "somebody removed a file of the runtime, and it was made again",
    "files_gone": "somebody removed files of the runtime that only a restart brings back",
    "gateway_died": "the HTTP gateway ended, and was not asked to",
    "gateway_failed": "the HTTP gateway was given up",
    "gateway_ready": "the HTTP gateway answers",
    "gateway_refused": "HTTP is not served, because the address cannot be had",
    "health_degraded": "a reason of health began to hold",
    "health_restored": "no reason of health holds any more",
    "limit_near": "80 % of a limit is used",
    "module_refused": "a stored module cannot be compiled any more",
    "modules_not_compiled": "stored modules could not be compiled at the start",
    "modules_not_removed": "modules that nobody uses could not be removed",
    "modules_removed": "modules that nobody uses were removed",
    "ready": "the runtime serves",
    "restart_began": "workers are restarted, one after the other",
    "restart_ended": "every worker has a successor, but for those that are named",
    "runtime_restarted": "the events from here on are of another run of the runtime",
    "shard_failed": "a shard was given up: its worker died too often",
    "shard_quarantined": "a shard's file is damaged, and its worker is not started again",
    "stopped": "everything has ended",
    "token_created": "a token was made",
    "token_revoked": "a token lets nobody in any more",
    "worker_died": "a worker ended that was not asked to",
    "worker_hung": "a worker was killed because it did not answer",
    "worker_over_memory": "a worker holds more memory than it may, and is restarted",
    "worker_restarted": "a worker's successor serves",
    "worker_retired": "a worker ended as planned",
    "workers_as_made": "another number of workers is configured than the data directory was made with",
}
MAX_KINDS, MAX_KIND = 64, 40
MAX_EVENT_TEXT = 1_000
# Events in an answer of the supervisor, and in a word of a worker; such a word ends with the event that reaches so many
# bytes.
MAX_EVENT_PAGE, MAX_SAID, MAX_SAID_BYTES = 200, 32, 16 << 10
# How long an answer may wait for something to tell, in milliseconds.
MAX_EVENT_WAIT_MS = 10_000


class EventView(msgspec.Struct, array_like=True, frozen=True):
    """Something that happened.

    number: of the run's events, from 1 on; 0 for the client's own word, such as that events are missing. run: which run
    of the runtime it was in. at: ms since 1970. kind: one of `caxton.wire.events.KINDS`. severity: info, warning or
    error. text: for people, on one line. shard: None where it is of none. agent, agent_id: the name and the id of the
    agent that it is about, "" and 0 where it is about none.
    """

    kind: str
    severity: str
    text: str
    at: Id
    fields: Fields = {}
    shard: Id | None = None
    agent: str = ""
    agent_id: Id = 0
    number: Id = 0
    run: Id = 0

    @property
    def cursor(self) -> str:
        """Where to go on behind this one: what `after` takes; "" for the client's own word."""
        return f"{self.run}-{self.number}" if self.number else ""


Kind = Annotated[str, msgspec.Meta(max_length=MAX_KIND)]


class ReadEvents(msgspec.Struct, array_like=True, tag=84, frozen=True):
    """Ask for what happened, behind the number `after` of the run `run`; of another run all that is kept is told.

    since: only what happened at this moment, in ms since 1970, or later. kinds: only these; none are all. agent_id:
    only what is about this agent; 0 for all. wait_ms: for how long the answer waits when there is nothing to tell.
    """

    run: Id = 0
    after: Id = 0
    since: Id = 0
    kinds: Annotated[tuple[Kind, ...], msgspec.Meta(max_length=MAX_KINDS)] = ()
    agent_id: Id = 0
    wait_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_EVENT_WAIT_MS)] = 0


class EventPage(msgspec.Struct, array_like=True, tag=85, frozen=True):
    """Events of a run, oldest first. last: the number that was looked at last, and behind which the next page begins.

    missed: how many that were asked for are not kept. more: whether there are others to look at already; a page may be
    empty and have more, so that no call looks at all that is kept.
    """

    run: Id
    last: Id
    events: list[EventView]
    missed: Id = 0
    more: bool = False
