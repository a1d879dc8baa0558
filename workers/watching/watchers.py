"""Messages as they go by, for whoever watches an agent or a conversation. While nobody does, nobody pays for it.

A shard shows a message once to each who watches: one from elsewhere when it comes, any other when it is sent. What an
agent sends to another shard is shown there to who watches its conversation. The call graph is counted of the same.
"""

from collections.abc import Callable, Sequence
from sys import getsizeof

from msgspec.structs import astuple, replace

from caxton.acl.envelope import Envelope
from caxton.errors import CaxtonError, ResourceExhausted
from caxton.ids import SESSION_BIT
from caxton.printable import one_line
from caxton.ring import Ring
from caxton.wire.watching import MAX_SHOWN_CONTENT, MAX_WATCHED_PAGE, WATCH_LEASE_S, Watch, WatchedMessage
from workers.watching.call_graph import CallGraph
from workers.watching.waits import Waits

# On a shard, and of one client.
MOST_WATCHES, MOST_WATCHES_OF_ONE = 32, 8
# Of one watch.
MOST_WATCHED, MOST_WATCHED_BYTES = MAX_WATCHED_PAGE, 1 << 20
# What a message takes beside its content, and more if it has rare fields, beside their texts.
OF_MESSAGE, OF_RARE = 700, 1_050
_MOST_ERROR = 200


class Watcher:
    """One watch. number: by which its client knows whether it is the one that it asked for before.

    key: what is watched, an agent's id or that of a conversation. asked_s: when it was asked for last, by the monotonic
    clock.
    """

    __slots__ = ("asked", "asked_s", "key", "number", "ring", "session")

    def __init__(self, number: int, session: int, asked: Watch, now_s: float) -> None:
        self.number = number
        self.session = session
        self.asked = asked
        self.key = key_of(asked)
        self.asked_s = now_s
        self.ring: Ring[WatchedMessage] = Ring(MOST_WATCHED, MOST_WATCHED_BYTES)


class Watchers:
    """Of a shard. is_on: whether what goes by is looked at; whoever has messages looks at that, once for all of them.

    owns: whether this shard has an agent of that id. is_asked: anybody watches, or asks for the call graph: then each
    pass begins with `begin`. graph: who talks to whom. dropped: messages that went before anybody asked for them.
    """

    def __init__(self, shard: int, waits: Waits, owns: Callable[[int], bool]) -> None:
        self._shard = shard
        self._waits = waits
        self._owns = owns
        self._of: dict[tuple[int, int], Watcher] = {}
        self._by_key: dict[int | bytes, list[Watcher]] = {}
        self._made = 0
        self.graph = CallGraph(owns)
        self.is_on = self.is_asked = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._of)

    def asked(self, session: int, asked: Watch, now_s: float) -> Watcher:
        """Return the watch that a client asks for, which begins now if it is new. Raises ResourceExhausted."""
        watcher = self._of.get((session, asked.number))
        if watcher is not None and watcher.key == key_of(asked):
            watcher.asked_s = now_s
            return watcher
        if watcher is not None:
            self._forget(watcher)
        if len(self._of) >= MOST_WATCHES:
            raise ResourceExhausted(f"watches on shard {self._shard}", MOST_WATCHES)
        if sum(whose == session for whose, _ in self._of) >= MOST_WATCHES_OF_ONE:
            raise ResourceExhausted("watches of one client", MOST_WATCHES_OF_ONE)
        self._made += 1
        watcher = self._of[session, asked.number] = Watcher(self._made, session, asked, now_s)
        self._by_key.setdefault(watcher.key, []).append(watcher)
        self.is_on = self.is_asked = True
        return watcher

    def ask_graph(self, now_s: float) -> None:
        """Somebody asks for the call graph: it is counted from now on, or goes on."""
        self.graph.ask(now_s)
        self._look_who_asks()

    def begin(self) -> bool:
        """A pass begins: return whether what goes by in it is looked at."""
        counts = self.graph.is_asked and self.graph.draw()
        self.is_on = counts or bool(self._of)
        return self.is_on

    def has(self, watcher: Watcher) -> bool:
        """Whether a watch goes on."""
        return self._of.get((watcher.session, watcher.asked.number)) is watcher

    def came(self, messages: Sequence[Envelope], wall_ms: int, *, from_client: bool) -> None:
        """Messages came from a client or another shard."""
        if self.graph.is_counting:
            self.graph.came(messages, from_client=from_client)
        for message in messages if self._of else ():
            self._show(message, wall_ms)

    def refused(self, refused: Sequence[tuple[int, Envelope, CaxtonError]], wall_ms: int, *, from_client: bool) -> None:
        """Some of these were refused, each for a reason."""
        if self.graph.is_counting and from_client:  # who sent another one is told by a failure
            self.graph.refused(refused)
        for _, message, error in refused if self._of else ():
            self._show(message, wall_ms, one_line(str(error), _MOST_ERROR))

    def sent(self, messages: Sequence[Envelope], wall_ms: int) -> None:
        """An agent of this shard, or the runtime itself, sends messages."""
        if self.graph.is_counting:
            self.graph.sent(messages)
        for message in messages if self._of else ():
            ends_here = message.receiver >= SESSION_BIT or self._owns(message.receiver)
            self._show(message, wall_ms, in_conversation=ends_here)

    def end(self, session: int, number: int | None = None) -> None:
        """A client ended, or one of its watches."""
        for (whose, which), watcher in list(self._of.items()):
            if whose == session and number in {None, which}:
                self._forget(watcher)

    def tick(self, now_s: float) -> None:
        """End what nobody asks for any more."""
        if self.graph.is_asked:
            self.graph.tick(now_s)
        for watcher in list(self._of.values()):
            if now_s - watcher.asked_s >= WATCH_LEASE_S:
                self._forget(watcher)
        self._look_who_asks()

    def removed(self, agent_id: int) -> None:
        """An agent was removed: let those look who watch it."""
        for watcher in self._by_key.get(agent_id, ()):
            self._waits.tell(watcher)

    def _show(self, message: Envelope, wall_ms: int, error: str = "", *, in_conversation: bool = True) -> None:
        keys: set[int | bytes] = {message.sender, message.receiver}
        if in_conversation and message.conversation_id is not None:
            keys.add(message.conversation_id)
        for key in keys & self._by_key.keys():
            for watcher in self._by_key[key]:
                self._add(watcher, message, wall_ms, error)

    def _add(self, watcher: Watcher, message: Envelope, wall_ms: int, error: str) -> None:
        content = message.content[:MAX_SHOWN_CONTENT] if watcher.asked.with_content else b""
        shown = replace(message, content=content, cause=None)
        ring, weighs = watcher.ring, OF_MESSAGE + len(content) + len(error)
        if message.rare is not None:
            weighs += OF_RARE + sum(getsizeof(value) for value in astuple(message.rare) if type(value) is str)
        before = ring.dropped
        ring.add(WatchedMessage(ring.last + 1, wall_ms, self._shard, shown, len(message.content), error), weighs)
        self.dropped += ring.dropped - before
        self._waits.tell(watcher)

    def _forget(self, watcher: Watcher) -> None:
        del self._of[watcher.session, watcher.asked.number]
        watchers = self._by_key[watcher.key]
        watchers.remove(watcher)
        if not watchers:
            del self._by_key[watcher.key]
        self._look_who_asks()
        self._waits.tell(watcher)

    def _look_who_asks(self) -> None:
        self.is_on = bool(self._of) or self.graph.is_counting
        self.is_asked = bool(self._of) or self.graph.is_asked


def key_of(asked: Watch) -> int | bytes:
    """Return what is watched: an agent, or a conversation if one is named."""
    return asked.agent if asked.conversation is None else asked.conversation
