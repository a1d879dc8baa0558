"""Messages that cannot be delivered: poison, agents that are stopped or removed, dead destinations."""

from typing import Any

from caxton.acl.message import Message
from caxton.client.client import Client
from faultlab.cases.kills import close, let_pass
from faultlab.cast import deploy_relay, name_on
from faultlab.lab import Lab
from faultlab.row import Row, Show
from faultlab.serial import Serial, relayed

# In the name of a relay's receiver: the turn that is given it ends the worker.
_DEADLY = "deadly-name"
_TOO_LONG_A_NAME = b"\xff"
_QUEUED = 200
# A worker dies three times first, and each successor starts on a machine that may be ten times as slow as ours.
_BURIED_TIMEOUT_S = 300.0
_POISON, _QUEUES = 2_000, 3_000
_MOST_TRAPS, _MOST_DEATHS = 5, 3


def poison(runs: int, show: Show) -> Row:
    """A message on which its agent always traps, and one that ends the worker: both are dead-lettered, others flow."""
    row = Row("14", "poison: an agent that always traps, a message that ends the worker", runs)
    with Lab(deadly=_DEADLY, options=("--retry-delay-ms", 100)) as lab:
        writer = lab.start_writer(window=2)
        for run in range(runs):
            show(run, f"poison {run + 1} of {runs}")
            _one_poison(lab, row, run)
            let_pass(writer, 4)
        close(lab, row, writer)
    return row


def stopped(runs: int, show: Show) -> Row:
    """Stop, and remove, an agent with a full queue: all of it is in the dead letters, and arrives when requeued."""
    row = Row("17", "stop or remove an agent with a full queue", runs)
    with Lab(recording=False) as lab:
        name = lab.places[0].recorder
        for run in range(runs):
            show(run, f"stop {run + 1} of {runs}")
            _one_end(lab, row, name, run)
        ledger = lab.ledger()
        row.claim(ledger.balanced, f"the ledger does not balance: {ledger}")
    return row


def _one_poison(lab: Lab, row: Row, run: int) -> None:
    trapping, deadly, made_by_another = (Serial(_POISON + run, number) for number in range(3))
    victim, second = lab.places[0].relay, lab.ask(_second_relay, lab.shards)
    lab.ask(Client.send, victim, _TOO_LONG_A_NAME + trapping.encode())
    # One after the other: the third death fails the agent, and what waits for it then waits on.
    _bury(lab, row, {trapping: _MOST_TRAPS})
    lab.ask(Client.send, victim, relayed(_DEADLY, deadly.encode()))
    _bury(lab, row, {deadly: _MOST_DEATHS})
    lab.ask(_resume_all, victim)
    lab.ask(Client.send, victim, relayed(second, relayed(_DEADLY, made_by_another.encode())))
    _bury(lab, row, {made_by_another: _MOST_DEATHS})
    states = [lab.ask(Client.inspect, name).state for name in (victim, second)]
    row.claim(states == ["running", "failed"], f"who passed it on is {states[0]}, and who was given it {states[1]}")
    lab.ask(_resume_all, second)


def _one_end(lab: Lab, row: Row, name: str, run: int) -> None:
    """Stop, or remove in odd runs, an agent that is paused and has a queue; then let another of its name have it."""
    recorder = lab.start_recorder([name])
    lab.ask(Client.pause, name)
    serials = lab.ask(_fill, name, run)
    row.acknowledged += len(serials)
    recorder.kill()
    if run % 2 == 0:
        lab.ask(Client.stop, name)
    else:
        lab.ask(Client.remove, name)
    lost = serials - {letter[0] for letter in lab.ask(_letters)}
    row.lost += len(lost)
    row.claim(not lost, f"{len(lost)} of {len(serials)} are not in the dead letters")
    if run % 2 == 0:
        lab.ask(Client.remove, name)
    recorder = lab.start_recorder([name])
    lab.ask(Client.requeue, agent=name)
    lab.until(lambda: serials <= _arrived(lab), "what was requeued arrives", _BURIED_TIMEOUT_S)
    recorder.kill()
    lab.ask(Client.remove, name)


def _bury(lab: Lab, row: Row, most: dict[Serial, int]) -> None:
    """Wait until these are dead letters, with their payload, and no more attempts than allowed."""
    lab.until(lambda: most.keys() <= {letter[0] for letter in lab.ask(_letters)}, "poison is buried", _BURIED_TIMEOUT_S)
    for serial, reason, attempts in lab.ask(_letters):
        if serial in most:
            row.claim(attempts <= most[serial], f"{reason} after {attempts} attempts, where {most[serial]} are allowed")
            row.acknowledged += 1


async def _letters(client: Client) -> list[tuple[Serial | None, str, int]]:
    letters: list[Any] = [letter async for letter in client.dead_letters(with_content=True)]
    return [(Serial.ending(letter.message.content), letter.reason, letter.attempts) for letter in letters]


async def _second_relay(client: Client, shards: int) -> str:
    name = name_on(client, shards, 0, "second")
    if not any(agent.name == name for agent in await client.agents()):
        await deploy_relay(client, name)
    return name


async def _resume_all(client: Client, *names: str) -> None:
    """Three deaths fail their agent; it is let run again."""
    for name in names:
        if (await client.inspect(name)).state != "running":
            await client.resume(name)


async def _fill(client: Client, name: str, run: int) -> set[Serial]:
    serials = [Serial(_QUEUES + run, number) for number in range(_QUEUED)]
    receiver = client.id_of(name)
    await client.send_batch([Message(receiver, serial.encode()) for serial in serials])
    return set(serials)


def _arrived(lab: Lab) -> set[Serial]:
    lab.collect()
    return {each.serial for each in lab.recorded}
