"""The lines of one conversation that one shard sees: where each stands, and what an initiator's come to together."""

import msgspec
from msgspec import structs

from caxton.protocols import SOUGHT, Joint, Position, Standing, names, of_conversation, standing

# An agent of this shard, and the other party.
Line = tuple[int, int]
# Of one conversation on one shard. Participants are bounded too, and pairs of them are more.
MOST_LINES = 4_096
# What a line takes in memory, in bytes, with what its last word follows from: an estimate.
LINE_BYTES = 700
# Where what an agent's lines come to is kept, in place of another party: nobody has this id.
_TOGETHER = 0
_encode = msgspec.msgpack.Encoder().encode
_position = msgspec.msgpack.Decoder(Position).decode
_joint = msgspec.msgpack.Decoder(Joint).decode


class Lines:
    """positions: of each line. joints: of agents that opened several, where the protocol looks at these together.

    sought: how many of them began with a message to a capability, and nobody has answered. open: how many lines have
    not ended; open_of: the same of each agent that has or had any. over_ms: when the last one did. look_at_ms: when
    somebody is to look for what has lapsed, 0 for nobody. Times are on the clock of the record.
    """

    __slots__ = ("joints", "look_at_ms", "open", "open_of", "over_ms", "positions", "sought")

    def __init__(self) -> None:
        self.positions: dict[Line, Position] = {}
        self.joints: dict[int, Joint] = {}
        self.open_of: dict[int, int] = {}
        self.open = self.sought = self.over_ms = self.look_at_ms = 0

    def move(self, line: Line, position: Position, joint: Joint | None, now_ms: int) -> int:
        """A line stands somewhere else now. Returns 1 where its agent begins to have one open, -1 where it ends."""
        before = self.positions.get(line)
        was_open = before is not None and before.deadline_ms > 0
        self.positions[line] = position
        self.sought += bool(position.marks & SOUGHT) - (before is not None and bool(before.marks & SOUGHT))
        if joint is not None:
            self.joints[line[0]] = joint
        more = (position.deadline_ms > 0) - was_open
        had = self.open_of.get(line[0], 0)
        if more or not had:
            self.open += more
            self.open_of[line[0]] = had + more
        if not position.deadline_ms and (was_open or before is None):
            self.over_ms = now_ms
        return (had + more > 0) - (had > 0)

    def answered_by(self, line: Line, about: bytes | None) -> None:
        """Somebody answers what was sent to a capability: the line that it opened is with him from now on."""
        if not self.sought or about is None or line in self.positions:
            return
        for (agent, other), position in self.positions.items():
            if agent == line[0] and position.marks & SOUGHT and names(about, position.opening):
                del self.positions[agent, other]
                self.sought -= 1
                self.positions[line] = structs.replace(position, marks=position.marks & ~SOUGHT)
                return

    def seeks(self, agent: int, about: bytes | None) -> bool:
        """Whether an agent waits for an answer to this from whoever can do it."""
        if not self.sought or about is None:
            return False
        return any(
            line[0] == agent and position.marks & SOUGHT and names(about, position.opening)
            for line, position in self.positions.items()
        )

    @property
    def next_deadline_ms(self) -> int:
        """When the first of them lapses, 0 when all have ended."""
        return min((p.deadline_ms for p in self.positions.values() if p.deadline_ms), default=0)

    @property
    def standing(self) -> Standing:
        """Where all of them stand together; there is at least one."""
        return of_conversation(map(standing, self.positions.values()))

    def to_store(self) -> list[tuple[int, int, bytes]]:
        """Return them as the file keeps them: agent, other party, and where it stands."""
        lines = [(*line, _encode(position)) for line, position in self.positions.items()]
        return lines + [(agent, _TOGETHER, _encode(joint)) for agent, joint in self.joints.items()]

    def restore(self, stored: list[tuple[int, int, bytes]]) -> None:
        """Take in what the file kept."""
        for agent, other, at in stored:
            if other == _TOGETHER:
                self.joints[agent] = _joint(at)
            else:
                self.move((agent, other), _position(at), None, 0)
