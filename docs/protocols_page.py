"""Writes docs/protocols.md from the tables of caxton.protocols: `python docs/protocols_page.py`.

A test holds the page to them.
"""

from pathlib import Path

from caxton.protocols import MACHINES, MAX_ROUNDS, Machine, Role, Row, Rule, State
from caxton.protocols.machine import BID_MS, CANCEL_MS, MAX_ANSWER_MS, START, UNIVERSAL, Answers
from caxton.protocols.violation import Wrong

PAGE = Path(__file__).with_name("protocols.md")
HEAD = f"""# Protocols

A message may name a `protocol`. The names below are checked: what does not fit is not delivered.
`python docs/protocols_page.py` writes this page from the tables in `caxton/protocols/tables`, which are also what the
checker walks (`caxton/protocols/checker.py`).

**Where.** Each agent's shard looks at what the agent is given, and at what it sends; of a client's messages, the shard
of the agent that they are for. What follows a protocol is a conversation: who names none begins one. A message without
a protocol is not looked at, and what agents with the encoding `content` answer has none.

**Lines.** What one agent and one other party say in one conversation is a *line*. Who opens it is its initiator, the
other its participant. A contract net has a line to each participant, and rules that look at all of them.

**Answers.** `in_reply_to` names the `reply_with` or the id of the message that it answers. It may be left out: between
agents it is filled in then, as the column *answers* says. One that names anything else is a violation. Who asks with a
`reply_to` is answered there: the line is between the two who speak.

**Deadlines.** A message that *asks* may have a `reply_by`; an answer after it is late, and does not fit any more.
Without one, a proposal or a bid has {BID_MS // 1000} s, anything else {MAX_ANSWER_MS // 3_600_000} hours, which is also
the most that a `reply_by` counts for; the conversation's own limits are mostly shorter. What a state *lapses to* is so
from its deadline on, with nobody saying anything. Deadlines are the runtime's to keep, through restarts where the
conversation is durable: an agent that waited is sent a `failure` as from who did not answer (`AnswerOverdue`).

**Everywhere.** Until the end the initiator may `cancel`, once. The participant's `inform` that answers it ends the line
as cancelled; after a `failure` that does, it goes on as it was. Without an answer within {CANCEL_MS // 1000} s, or its
`reply_by`, it is cancelled. A result that crosses a cancel is the result. Whoever was spoken to may say
`not-understood`, once; it ends the line as failed, or tells of the last message after the end. A message that did not
reach the other party ends the line that waits for its answer as `undelivered`. Of a client that has ended the runtime
says `cancel` in its place, to each whom it asked in a conversation that it opened; `SessionNotFound` is the content.
The line has ended then, and the cancel may be answered, unheard. In others' conversations this is found when
one of their deadlines comes.

**Rounds.** Where a line goes round, it does so {MAX_ROUNDS} times at most, or as often as its protocol says.

**Names.** `fipa-…` is FIPA's, and `caxton:…` the runtime's, in whichever case: a name that begins so and is not below
is refused (`UnknownProtocol`). So by `caxton:conversation`, `caxton:escalation` and `caxton:receipt` everybody knows
that the runtime itself says something; none but the runtime can name them as their protocol. Any other name is
its users' own, and nothing is checked of it.

**Ends.** A conversation all of whose lines have ended is completed, with the outcome of the best of them, or failed if
that failed. For five seconds somebody may open another line in it; then it is over.
"""
RULES = {
    Rule.ALL_ANSWERED: "once all who were called have answered, or their deadline has passed",
    Rule.ONE_A_ROUND: "for one participant in each round",
    Rule.ONE: "for one participant in all",
    Rule.RECRUITED: "once a recruiter was asked",
}
ANSWERED = {
    Answers.NOTHING: "",
    Answers.OPENING: "what opened it",
    Answers.ASKED: "what asked",
    Answers.ANYTHING: "any",
}
# What is wrong with a message, as somebody meets it who wrote it.
MISFITS = {
    Wrong.OUT_OF_TURN: "A reply out of turn, or an act that the protocol does not have",
    Wrong.REPEATED: "The same proposal, answer or cancel twice",
    Wrong.UNKNOWN_REPLY: "An `in_reply_to` that nobody sent, or that was answered",
    Wrong.LATE: "A proposal, bid or answer after its deadline; a question whose `reply_by` has passed",
    Wrong.ENDED: "Anything more after the end",
    Wrong.ROUNDS: "One round too many",
    Wrong.NOT_ALL_ANSWERED: "A contract that is awarded while others may still propose",
    Wrong.ALREADY_CHOSEN: "A second winner in an auction, or in a round of it",
    Wrong.STRANGER: "A first word from somebody whom no recruiter found",
    Wrong.OTHER_PROTOCOL: "Another protocol than the one that the line began with",
}
# What is not the checker's to say.
OTHERS = {
    "A name that begins with `fipa-` or `caxton:` and is none of these": "`UnknownProtocol`; an agent gets a `failure`",
    "A conversation of others, by who takes no part": "`NotAParticipant`; an agent gets `not-understood`",
    "A participant too many, or a line beyond 4,096": "`TooManyParticipants`",
    "A conversation that has expired, or is over": "`ConversationTimeout`, `ConversationEnded`",
    "Somebody who says nothing, or a handler that never returns": "its line lapses at the deadline (`AnswerOverdue`)",
    "An agent that fails on a message": "a `failure` of the runtime; the line is `undelivered`",
    "A client that ends, or is killed, in the middle": "whom it asked is sent `cancel`, which ends the line; "
    "an agent that waits for it, a `failure` (`SessionNotFound`)",
    "A program that breaks its call off in the middle": "whom it asked is sent `cancel` by the client",
}
MISFITS_HEAD = """# Bad input, and what it gets

A message that does not fit is not delivered, and `caxton conversation stats` counts it. A client's call ends as
`ProtocolViolation`: the protocol, the role and the state of the agent whose view it is, the performative, what was
expected, and one of these problems. An agent is sent `not-understood` with the same in it; on the durable lane its
message is among the dead letters too.

| what | problem |
|---|---|
"""
OTHERS_HEAD = """What the checker does not see gets what it gets elsewhere:

| what | gets |
|---|---|
"""


def page() -> str:
    """Return the whole page."""
    misfits = "".join(f"| {text} | {wrong.value} |\n" for wrong, text in MISFITS.items())
    others = "".join(f"| {text} | {gets} |\n" for text, gets in OTHERS.items())
    return "\n".join([HEAD, *[section(machine) for machine in MACHINES], MISFITS_HEAD + misfits, OTHERS_HEAD + others])


def section(machine: Machine) -> str:
    """Return what the page says of one protocol."""
    source = "Caxton's own" if machine.specification == "ours" else f"FIPA {machine.specification}"
    rounds = f" At most {machine.max_rounds} rounds." if any(row.next_round for row in machine.rows) else ""
    states = "".join(state_row(state) for state in machine.own_states)
    said = "".join(message_row(row) for row in machine.rows)
    return f"""# {machine.title}: `{machine.name}`

{source}. Initiator: {machine.initiator}. Participant: {machine.participant}.{rounds}

```mermaid
stateDiagram-v2
{drawing(machine)}```

| who | says | in | then | answers | |
|---|---|---|---|---|---|
{said}
| state | | waits for | lapses to | after |
|---|---|---|---|---|
{states}"""


def drawing(machine: Machine) -> str:
    """Return the machine in mermaid's words: every row an arrow, every deadline another."""
    arrows = [
        f"    {_node(at)} --> {_node(row.to)}: {_who(row.by)} {_acts(row, plain=True)}\n"
        for row in machine.rows
        for at in row.at
    ]
    arrows += [
        f"    {_node(s.name)} --> {_node(s.lapses_to)}: deadline\n" for s in machine.own_states if s.kind is None
    ]
    arrows += [f"    {_node(s.name)} --> [*]\n" for s in (*UNIVERSAL, *machine.own_states) if _is_drawn_end(machine, s)]
    return "".join(arrows)


def message_row(row: Row) -> str:
    """Return one row of the table of messages."""
    notes = [RULES[row.rule]] if row.rule is not None else []
    notes += ["one more round"] if row.next_round else []
    notes += ["only when both spoke at once"] if row.crossing else []
    asks = "asks" if row.asks else ""
    cells = [
        str(row.by),
        _acts(row),
        ", ".join(row.at),
        row.to,
        ANSWERED[row.answers],
        "; ".join(filter(None, [asks, *notes])),
    ]
    return f"| {' | '.join(cells)} |\n"


def state_row(state: State) -> str:
    """Return one row of the table of states."""
    if state.kind is not None:
        return f"| {state.name} | {state.meaning} | *{state.kind}* | | |\n"
    after = "what is left" if state.keeps_deadline else f"{state.answer_ms // 1000} s"
    return f"| {state.name} | {state.meaning} | {state.awaits} | {state.lapses_to} | {after} |\n"


def _is_drawn_end(machine: Machine, state: State) -> bool:
    lapsed = {s.lapses_to for s in machine.own_states if s.kind is None}
    return state.kind is not None and (state in machine.own_states or state.name in lapsed)


def _node(name: str) -> str:
    return "[*]" if name == START else name.replace("-", "_")


def _who(role: Role) -> str:
    return "initiator" if role is Role.INITIATOR else "participant"


def _acts(row: Row, *, plain: bool = False) -> str:
    acts = [act.act if plain else f"`{act.act}`" for act in row.acts]
    return " or ".join(filter(None, [", ".join(acts[:-1]), acts[-1]]))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
