"""One turn: one agent handles one message. Bytes in, effects out; whatever a guest does, the shard goes on."""

from collections.abc import Callable
from time import monotonic_ns
from typing import Protocol

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope, Rare, is_over
from caxton.acl.options import DEFAULT_TIMEOUT_MS
from caxton.acl.performative import Performative
from caxton.errors import (
    AgentError,
    CaxtonError,
    InvalidMessageFormat,
    MessageExpired,
    ResourceExhausted,
    WasmExecutionFailed,
)
from caxton.ids import AgentId, UuidSource
from caxton.printable import one_line
from caxton.wire.spans import AGENT_ERROR, DONE, EXPIRED, FAILED
from workers.agents.delivery import Delivery
from workers.agents.mailbox import entry_of
from workers.agents.registry import Agent
from workers.commit.journal import Journal
from workers.crash_note import (
    AGENT,
    FORMER_SEQUENCE,
    FORMER_SOURCE,
    SEQUENCE,
    SOURCE,
    STARTED,
    STORED_AS,
    CrashNote,
)
from workers.durable.idempotency_keys import IdempotencyKeys
from workers.sandbox.engine import GuestEngine
from workers.sandbox.guest_messages import Advertised, GuestOutput, answer_to, to_guest
from workers.sandbox.modules import ModuleMissing, Modules
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.traps import MAX_DETAIL, GuestError, Trap, to_error
from workers.sandbox.watchdog import Watchdog
from workers.turns.traced import context_in, context_of, left, placed_at, spawned
from workers.worker_pass import NEVER, Pass

_INFORM = int(Performative.INFORM)
Root = tuple[int, int]
# The outcome of what was no turn after all.
NO_TURN = ""


class Effects(Protocol):
    """Where a turn's messages go."""

    ids: UuidSource
    straight_from: int

    def send_effects(self, messages: list[Envelope], root: Root, agent: Agent, handled: Envelope) -> None:
        """Send what an agent sent while it handled a message, in order."""

    def advertise(self, agent: Agent, said: Advertised) -> None:
        """Let an agent have other capabilities, as it says itself. Raises InvalidMessageFormat, ResourceExhausted."""

    def fail(self, message: Envelope, error: CaxtonError) -> None:
        """Tell the sender of `message` that it came to nothing, unless the message is automatic."""

    def confirm(self, message: Envelope) -> None:
        """Tell the sender of `message`, who asked for it, that it was handled."""


class Outcomes(Protocol):
    """Where durable messages end."""

    def claims(self, agent: Agent, delivery: Delivery) -> bool:
        """True for a message that has its turn later, alone, because a worker died of it."""

    def done(self, agent: Agent, delivery: Delivery | None) -> None:
        """A turn ended for good."""

    def failed(
        self, agent: Agent, message: Envelope, root: Root, error: CaxtonError, delivery: Delivery | None
    ) -> None:
        """A turn ended in a trap, or the like."""

    def is_late(self, agent: Agent, delivery: Delivery) -> bool:
        """Whether a message has waited as long as it was to."""

    def expire(self, agent: Agent, message: Envelope, delivery: Delivery | None) -> None:
        """A message is late."""


class Turns:
    """Runs turns in sandboxes that are made at an agent's first message, and made anew after a trap."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it works with; the composition root is the only caller)
        self,
        engine: GuestEngine,
        modules: Modules,
        watchdog: Watchdog,
        note: CrashNote,
        output: GuestOutput,
        effects: Effects,
        outcomes: Outcomes,
        journal: Journal,
        keys: IdempotencyKeys,
        log: Callable[[Agent, int, str | None, Envelope, int], bool],
    ) -> None:
        self._engine = engine
        self._modules = modules
        self._watchdog = watchdog
        self._note = note.cells
        self._output = output
        self._effects = effects
        self._outcomes = outcomes
        self._journal = journal
        self._keys = keys
        self._log = log
        self._handled: Envelope  # in the turn under way: what a guest logs is about it
        self._outcome = DONE  # of the turn under way
        self.instances = 0
        self.begin(Pass(0, 0))

    def begin(self, a_pass: Pass) -> None:
        """Run what follows as part of `a_pass`. Routes begin first: they know the time that ids carry."""
        self.a_pass = a_pass
        self._next_id = self._effects.ids.next
        self._straight_from = self._effects.straight_from

    def take(  # noqa: C901, PLR0911, PLR0912, PLR0915 (the way of every message: a call more would cost as much as it tidies)
        self,
        agent: Agent,
        message: Envelope,
        source: int,
        sequence: int,
        expires_ns: int,
        delivery: Delivery | None,
    ) -> int:
        """Let the agent handle the message; its effects, or the failure, go their way. Returns when it began, ns."""
        rare = message.rare
        if rare is not None and rare.trace_context is not None and self.a_pass.context is None:
            return self._traced(agent, message, source, sequence, expires_ns, delivery)
        now_ns = monotonic_ns()
        if delivery is not None:
            if self._waits(agent, message, delivery):
                return now_ns
            source, sequence = delivery.source, delivery.sequence  # the file may have it by now, under its own number
            self._note_former(sequence)
            expires_ns = 0 if self._outcomes.is_late(agent, delivery) else NEVER
        if expires_ns <= now_ns or (rare is not None and is_over(rare, self.a_pass.wall_ms)):
            self._expire(agent, message, delivery)
            return now_ns
        note = self._note
        note[SOURCE] = source
        note[SEQUENCE] = sequence
        note[STARTED] = now_ns
        note[AGENT] = agent.agent_id
        self._handled = message
        agent.run += 1
        try:
            sandbox = agent.sandbox
            if sandbox is None:
                sandbox = self._instantiate(agent)
                now_ns = monotonic_ns() - sandbox.used_ns  # its start was for this message, and within its limit
            if not agent.content_only:
                self._whole(agent, message, sandbox, (source, sequence), delivery)
                return now_ns
            content = sandbox.handle(message.content, now_ns)
        except Exception as problem:  # noqa: BLE001 (nothing that a guest causes may end the shard; all is told)
            self._fail(agent, message, problem, (source, sequence), delivery)
            return now_ns
        flags = message.flags
        if flags:
            if delivery is None and agent.breaker is None:
                self._journal.processed += 1  # as `done` does, for nearly every message
            else:
                self._outcomes.done(agent, delivery)
        if rare is not None and rare.receipt:
            self._effects.confirm(message)
        if content is None:
            if flags and rare is not None:
                self._keys.answered(message, [])
            return now_ns
        if message.reply_with is None:
            self.a_pass.counts["unasked"] += 1
            return now_ns
        receiver = message.sender if rare is None else answer_to(message)
        a_pass = self.a_pass
        reply = Envelope(
            self._next_id(),
            _INFORM,
            agent.agent_id,
            receiver,
            content,
            None,
            message.reply_with,
            message.conversation_id,
            a_pass.wall_ms,
            message.level,
            DEFAULT_TIMEOUT_MS,
            flags,
        )
        emitted = self._journal.emitted if flags else a_pass.emitted
        waiting = emitted.get(receiver) if receiver >= self._straight_from else None
        if rare is not None and a_pass.context and waiting is not None and message.conversation_id is None:
            reply.rare = Rare(trace_context=a_pass.context)  # all else that is rare is for the receiver alone
            waiting.append(reply)
        elif waiting is None or rare is not None:
            self._effects.send_effects([reply], (source, sequence), agent, message)
        else:  # a session that this pass already has messages for
            waiting.append(reply)
        if flags and rare is not None:
            self._keys.answered(message, [reply])
        return now_ns

    def _traced(
        self,
        agent: Agent,
        message: Envelope,
        source: int,
        sequence: int,
        expires_ns: int,
        delivery: Delivery | None,
    ) -> int:
        """Take a turn whose message has a trace context; one that is sampled leaves a few numbers."""
        a_pass, context, span = self.a_pass, context_of(message), 0
        now_ns = monotonic_ns()
        placed_ns = placed_at(message, expires_ns, delivery, now_ns)
        a_pass.context = ""
        if context:
            a_pass.context, span = context_in(message, context, delivery)
        self._outcome = DONE
        try:
            began_ns = self.take(agent, message, source, sequence, expires_ns, delivery)
        finally:
            a_pass.context = None
        if context and self._outcome != NO_TURN:
            a_pass.spans.append(left(agent, message, context, span, (placed_ns, now_ns, monotonic_ns()), self._outcome))
        return began_ns

    def _note_former(self, sequence: int) -> None:
        """Note what root a message was before it had its row, while the file may not have that."""
        former = self._journal.roots.former(sequence)
        if former is not None:
            note = self._note
            note[STORED_AS] = sequence
            note[FORMER_SOURCE], note[FORMER_SEQUENCE] = former

    @property
    def overruns(self) -> int:
        """How many turns were interrupted at their deadline."""
        return self._watchdog.overruns

    @property
    def most_instances(self) -> int:
        """How many sandboxes there may be at once."""
        return self._engine.max_sandboxes

    def rest(self) -> None:
        """Every 200 ms: nobody need watch over guests in which nothing happens."""
        self._watchdog.rest()

    def ended(self) -> None:
        """Say that no turn is under way."""
        self._note[AGENT] = 0

    def close(self, agent: Agent) -> None:
        """Give an agent's instance up."""
        if agent.sandbox is not None:
            self.instances -= 1
            agent.close_sandbox()

    def _whole(self, agent: Agent, message: Envelope, sandbox: Sandbox, root: Root, delivery: Delivery | None) -> None:
        tried = 1 if delivery is None else delivery.deliveries + 1
        given = to_guest(message, tried)
        now_ns, sandbox.used_ns = monotonic_ns() - sandbox.used_ns, 0
        output = sandbox.handle(given, now_ns)
        messages: list[Envelope] = []
        if output is not None:
            limits, now_ms = agent.manifest.limits, self.a_pass.wall_ms
            most, most_bytes = limits.max_output_messages, limits.max_output_bytes
            messages, state = self._output.read(
                output, message, agent.agent_id, most, self._next_id, now_ms, most_bytes
            )
            if state is not None:
                self.check_state(agent, state)
            if self._output.advertised is not None:
                self._effects.advertise(agent, self._output.advertised)
            if state is not None:
                self.save(agent, state)
        if message.flags & DURABLE:
            self._outcomes.done(agent, delivery)
            if message.rare is not None:
                self._keys.answered(message, messages)
        if message.rare is not None and message.rare.receipt:
            self._effects.confirm(message)
        if messages:
            self._effects.send_effects(messages, root, agent, message)

    def check_state(self, agent: Agent, state: bytes) -> None:
        """Raise ResourceExhausted, and count it, where the shard has no room for what an agent is to keep."""
        try:
            self._journal.states.check(agent, state)
        except ResourceExhausted:
            self.a_pass.counts["states_refused"] += 1
            raise

    def save(self, agent: Agent, state: bytes) -> None:
        """Keep what the agent's next instance, or program, is to be given: committed with what else its turn causes.

        Call only after `check_state`, before anything of that turn counts.
        """
        self._journal.states.keep(agent, state)
        self._journal.commit.states[agent.agent_id] = state
        self._journal.urgent = True

    def _waits(self, agent: Agent, message: Envelope, delivery: Delivery) -> bool:
        """Let a message wait that is to run alone, or that comes behind one of its pair which waits."""
        if not agent.waits_aside(message.sender):
            if not self._outcomes.claims(agent, delivery):
                return False
        else:
            agent.set_aside(entry_of(delivery))
            if agent.mailbox is not None:
                agent.mailbox.depth += 1  # it keeps its place
        self.a_pass.held_back += 1
        self._outcome = NO_TURN
        return True

    def _instantiate(self, agent: Agent) -> Sandbox:
        module = self._modules.load(agent.manifest.module)
        agent.count("instances")
        began_ns = monotonic_ns()
        agent.sandbox = Sandbox(
            self._engine,
            module,
            agent.manifest.limits,
            self._watchdog,
            lambda level, line: self._write(agent, level, line),
            agent.saved,
        )
        self.instances += 1
        if self.a_pass.context:
            made = spawned(self.a_pass.context, self._handled, agent, began_ns, monotonic_ns())
            self.a_pass.spans.append(made)
        return agent.sandbox

    def _write(self, agent: Agent, level: int, line: str | None) -> None:
        counts = self.a_pass.counts
        counts["log_lines"] += 1
        counts["log_dropped"] += not self._log(agent, level, line, self._handled, self.a_pass.wall_ms)

    def expire(self, agent: Agent, message: Envelope, delivery: Delivery | None) -> None:
        """A message waited for an agent that runs no turns until it was too late."""
        self.a_pass.turns += 1  # `run` is turns less what expired
        self._expire(agent, message, delivery)

    def _expire(self, agent: Agent, message: Envelope, delivery: Delivery | None) -> None:
        agent.count("expired")
        self._outcome = EXPIRED
        self.a_pass.counts["expired"] += 1
        if message.flags & DURABLE:
            self._outcomes.expire(agent, message, delivery)
        else:
            self._effects.fail(message, MessageExpired(agent.label, message.timeout_ms / 1000))

    def _fail(self, agent: Agent, message: Envelope, problem: Exception, root: Root, delivery: Delivery | None) -> None:
        durable = message.flags & DURABLE
        self._outcome = AGENT_ERROR if isinstance(problem, GuestError) else FAILED
        if isinstance(problem, GuestError):
            agent.count("agent_errors")
            self.a_pass.counts["agent_errors"] += 1
            if durable:
                self._outcomes.done(agent, delivery)
                self._keys.answered_with_error(message, error_of(problem, agent))
        else:
            agent.count("failed")
            self.a_pass.counts["failed"] += 1
            self.close(agent)  # a trap ends an instance, and one that writes nonsense is not to be trusted either
            if durable:
                self._outcomes.failed(agent, message, root, error_of(problem, agent), delivery)
                return
        if message.flags & AUTOMATIC:
            self.a_pass.counts["failures_dropped"] += 1
            return
        self._effects.fail(message, error_of(problem, agent))


def error_of(problem: Exception, agent: Agent) -> CaxtonError:
    """Return the typed error that the sender of a message gets for how its turn ended."""
    if isinstance(problem, CaxtonError) and not isinstance(problem, InvalidMessageFormat):
        return problem  # such as ResourceExhausted: no more sandboxes in this process
    label = str(AgentId(agent.agent_id))
    if isinstance(problem, Trap):
        return to_error(problem, label, agent.manifest.limits)
    if isinstance(problem, GuestError):
        return AgentError(label, problem.code)
    if isinstance(problem, InvalidMessageFormat):
        return WasmExecutionFailed(label, "invalid_output", problem.problem)
    if isinstance(problem, ModuleMissing):
        return WasmExecutionFailed(label, "module_missing", "its module is not in the cache; deploy it again")
    return WasmExecutionFailed(label, "internal", one_line(f"{type(problem).__name__}: {problem}", MAX_DETAIL))
