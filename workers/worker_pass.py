"""One pass as a value: what was taken, what follows from it, what is left. `release` makes it true."""

from collections import Counter

from caxton.acl.envelope import Envelope

MAX_TURNS = 4_096
NS_PER_MS = 1_000_000
MAX_PASS_NS = 5 * NS_PER_MS
# When a message expires that does not wait, or not by the monotonic clock: beyond any time of it.
NEVER = 1 << 62


class Pass:
    """What one pass took and caused.

    now_ns: when it began (monotonic). wall_ms: the same, since 1970. taken: the last sequence by source. emitted:
    messages by target peer. tell: peers that are to get a link state. unfinished: turns are left for the next pass.
    origin: whose root the turn under way follows from, 0 when it is a root's own. origins: what turns sent that follow
    from others' roots, by turn.
    held_back: of the turns, how many were none, because the message waits behind another that waits for its retry.
    counts: what happened, under the names of `COUNTERS`.
    """

    __slots__ = (
        "counts",
        "emitted",
        "held_back",
        "now_ns",
        "origin",
        "origins",
        "taken",
        "tell",
        "turns",
        "unfinished",
        "wall_ms",
    )

    def __init__(self, now_ns: int, wall_ms: int) -> None:
        self.now_ns = now_ns
        self.wall_ms = wall_ms
        self.turns = 0
        self.held_back = 0
        self.origin = 0
        self.origins: list[tuple[int, list[Envelope]]] = []
        self.taken: dict[int, int] = {}
        self.emitted: dict[int, list[Envelope]] = {}
        self.tell: set[int] = set()
        self.unfinished = False
        self.counts: Counter[str] = Counter()


# The names in a worker's book, and what each counts. Gauges are marked so; the rest only grow.
COUNTERS = {
    "taken_from_sessions": "messages taken from clients",
    "taken_from_workers": "messages taken from other workers",
    "emitted_to_sessions": "messages that left for clients",
    "emitted_to_workers": "messages that left for other workers",
    "local": "messages from agent to agent inside this worker",
    "run": "turns that ended, whichever way",
    "failed": "turns that ended in a trap or in output that nobody can read",
    "agent_errors": "turns that ended with the agent's own error code",
    "failures_sent": "failure messages made by the runtime",
    "failures_dropped": "failures and confirmations for nobody: to content agents, to who is gone, of automatic ones",
    "escalated": "messages that an agent failed on for good, sent to whom it escalates to",
    "rerouted": "messages to a capability that went to another agent, because one before did not take or end them",
    "confirmations_sent": "messages to senders who asked for a receipt that their message was handled",
    "unasked": "answers of content agents to messages that asked for none",
    "refused": "messages that were not placed, each with an error to its sender",
    "full_receiver": "of these, effects whose receiver has its share of what a shard keeps",
    "full_origin": "of these, effects of roots whose receiver has its share",
    "full_shard": "of these, effects beyond what the shard keeps",
    "full_link": "of these, effects beyond what may wait for another shard",
    "limits_near": "limits that came to 80 % of what may be, each time that they did",
    "states_refused": "turns that failed because the states of all agents come to as much as they may",
    "full_principal": "messages and effects refused because their principal has its share, while others are here",
    "over_hops": "effects too many hops from their root: refused, or dropped where they answer a failure",
    "over_work": "effects of a root that has caused as much here as it may: refused, or dropped, likewise",
    "claims_forged": "messages of clients that claim to follow from what these were not given: refused",
    "deadlocks": "requests to attached agents that wait for what comes of them, and handle no more at a time: refused",
    "expired": "messages that waited beyond their timeout, each with a failure to its sender",
    "given_up": "messages that waited for another shard beyond their timeout, each with a failure to the agent",
    "discarded": "volatile messages to, or from, an agent that was stopped, removed or detached; those to it fail",
    "session_gone": "messages for a client that is not there, or a worker that ended in the middle of a pass",
    "session_full": "messages for a client that does not read: 65,536 of them, or 64 MiB, wait for it",
    "unsent": "frames that a socket had no room for; the books show what was in them as lost",
    "gaps": "messages that a link lost before they arrived",
    "duplicates": "messages that came again and were dropped",
    "over_credit": "messages beyond what their source was allowed, dropped",
    "garbage": "frames that do not decode, or are not for this worker",
    "forged": "frames whose mark is not their source's, whose source has ended, or is one client too many",
    "unanswered": "answers to calls of a client that does not read: 1,024 of them, or 64 MiB, wait for it",
    "passes": "passes",
    "frames_in": "data frames taken",
    "frames_out": "data frames sent",
    "log_lines": "lines that guests wrote",
    "log_dropped": "of these, how many were dropped: beyond the quota of their turn, or 200 a second for all agents",
    "left": "durable messages that were left to be sent again: before a hello, behind a gap, or to a successor",
    "commits": "commits of the durable lane",
    "queued": "gauge: messages of the volatile lane in mailboxes",
    "pending": "gauge: durable messages that were taken and are not finished",
    "dead_letters": "gauge: dead letters",
    "effects": "gauge: what agents sent and waits here; a message counts 1, and 1 more for each KiB of its contents",
    "backlog": "gauge: what agents sent to other shards and waits for credit or for a worker",
    "on_disk": "gauge: of pending, durable messages that wait on disk alone until memory has room for them",
    "conversations_evicted": "conversations that expired before their time, because there was no room for so many",
    "conversations_stopped": "conversations that came to a limit of their own",
    "strangers": "messages that were refused because their sender takes no part in the conversation",
    "conversations_over": "messages that were refused because the conversation had ended",
    "conversations_full": "messages that were refused because of somebody more than may take part",
    "violations": "messages that were refused because they did not fit their protocol",
    "conversations": "gauge: conversations that go on, as far as their shards know",
    "conversation_bytes": "gauge: what conversations take in memory, about, with those that ended of late",
    "state_bytes": "gauge: what the states of all agents come to, in bytes",
    "oldest_ms": "gauge: for how many milliseconds a message has waited that may have its turn; of all shards the most",
    "agents": "gauge: agents registered",
    "undecided": "gauge: messages to a capability that wait for word of who has it; as effects count",
    "subscriptions": "gauge: capabilities that messages from here are for, of which other shards tell",
    "offers": "gauge: capabilities of which this shard tells others",
    "overruns": "turns that were interrupted at their limit of computing time",
    "instances": "gauge: sandboxes with an instance",
}
