"""One guest or one client at its worst, for a while: in a process of its own, so that only its victims are measured."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import wasmtime

import caxton
from bench.guests.echo import echo_wasm
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions
from caxton.acl.performative import Performative
from caxton.agents.limits import Limits
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.ids import AgentId
from caxton.transport.endpoints import RuntimeDir
from faultlab.hostile.corpus import NAME, kinds
from faultlab.hostile.frames import flood

_VOLATILE = DeliveryOptions(reliability="at_most_once")
_DURABLE = DeliveryOptions(reliability="at_least_once", max_retries=1)
_BATCH, _AT_ONCE = 256, 4
_BURN = Path(__file__).parent.with_name("guests") / "burn.wat"
_LARGE = bytes(1 << 20)
# One full turn: a deadline of 50 ms, and what may be beyond it.
FULL_TURN_MS = 70.0
# Of so many agents a turn computes for so long, and takes as long as the second says, as others on the machine have it.
_LONG, _TURN_MS, LONG_TURN_MS = 8, 80, 120.0
_MOST_MS, _TRIED = 1_000, 10_000_000
BEGUN = "attacking"

Run = Callable[[Path, Client, float], Awaitable[None]]


@dataclass(frozen=True)
class Attack:
    """What is done, and for how long a neighbour may wait for one full turn of it beside its own time."""

    about: str
    run: Run
    full_turn_ms: float = 0.0


def _guest(kind: str, options: DeliveryOptions) -> Run:
    """Deploy a guest of the corpus, and send to it as much as it takes."""

    async def run(_directory: Path, client: Client, until_s: float) -> None:
        chosen = next(each for each in kinds() if each.name == kind)
        agent = await client.deploy(NAME, chosen.wasm, encoding=chosen.encodings[-1], limits=chosen.limits)
        await _keep_sending(client, until_s, [Message(agent, b"go", delivery_options=options)] * _BATCH)

    return run


async def _keep_sending(client: Client, until_s: float, batch: list[Message]) -> None:
    _say_begun()

    async def send() -> None:
        while time.monotonic() < until_s:
            with contextlib.suppress(CaxtonError):
                await client.send_batch(batch)

    async with asyncio.timeout(_left(until_s)), asyncio.TaskGroup() as tasks:
        for _ in range(_AT_ONCE):
            tasks.create_task(send())


def _long_turns(short: int = 0) -> Run:
    """Send to agents, each as much as it takes, and so many short turns before each long one."""

    async def run(_directory: Path, client: Client, until_s: float) -> None:
        agents, long = await _burning(client)
        messages = [Message(agent, _burn(1), delivery_options=_VOLATILE) for agent in agents] * short
        messages += [Message(agent, long, delivery_options=_VOLATILE) for agent in agents]
        await _keep_sending(client, until_s, messages)

    return run


async def _long_turns_singly(_directory: Path, client: Client, until_s: float) -> None:
    """Whoever is asked is idle each time, so its message need not wait in a mailbox."""
    agents, long = await _burning(client)
    _say_begun()

    async def ask(agent: AgentId) -> None:
        while time.monotonic() < until_s:
            with contextlib.suppress(CaxtonError):
                await client.request(agent, long)

    async with asyncio.timeout(_left(until_s)), asyncio.TaskGroup() as tasks:
        for agent in agents:
            tasks.create_task(ask(agent))


async def _burning(client: Client) -> tuple[list[AgentId], bytes]:
    """Deploy agents that count down from what they are sent; returns them, and what takes them as long as it should."""
    wasm, limits = _burning_wasm(), Limits(max_fuel=10**12, max_execution_ms=_MOST_MS)
    agents = [await client.deploy(f"{NAME}-{n}", wasm, limits=limits) for n in range(_LONG)]
    took_ns: list[int] = []
    for agent in agents:
        began_ns = time.monotonic_ns()
        await client.request(agent, _burn(_TRIED))
        took_ns.append(time.monotonic_ns() - began_ns)
    return agents, _burn(_TRIED * _TURN_MS * 1_000_000 // min(took_ns))


def _burn(steps: int) -> bytes:
    return steps.to_bytes(8, "little")


def _burning_wasm() -> bytes:
    return bytes(wasmtime.wat2wasm(_BURN.read_text("utf-8")))


async def _to_nobody(_directory: Path, client: Client, until_s: float) -> None:
    messages = [Message(AgentId((1 << 40) + n << 10), b"x", delivery_options=_VOLATILE) for n in range(_BATCH)]
    await _keep_sending(client, until_s, messages)


async def _large_to_who_is_paused(_directory: Path, client: Client, until_s: float) -> None:
    kind = next(each for each in kinds() if each.name == "a loop in handle_message")
    agents = [await client.deploy(f"{NAME}-{n}", kind.wasm) for n in range(8)]
    for agent in agents:
        await client.pause(agent)
    messages = [Message(agents[n % 8], _LARGE, delivery_options=_VOLATILE) for n in range(32)]
    await _keep_sending(client, until_s, messages)


async def _durable_to_who_is_paused(_directory: Path, client: Client, until_s: float) -> None:
    kind = next(each for each in kinds() if each.name == "a loop in handle_message")
    agents = [await client.deploy(f"{NAME}-{n}", kind.wasm) for n in range(8)]
    for agent in agents:
        await client.pause(agent)
    messages = [Message(agents[n % 8], bytes(1 << 16), delivery_options=_DURABLE) for n in range(_BATCH)]
    await _keep_sending(client, until_s, messages)


async def _asks_and_never_reads(_directory: Path, client: Client, until_s: float) -> None:
    """Answers come to the inbox of a client whose loop stands still most of the time."""
    agent = await client.deploy(NAME, echo_wasm())
    request = Message(agent, bytes(10_000), performative=Performative.REQUEST, delivery_options=_VOLATILE)
    _say_begun()
    while time.monotonic() < until_s:
        with contextlib.suppress(CaxtonError):
            await client.send_batch([request] * _BATCH)
        time.sleep(min(0.5, _left(until_s)))  # noqa: ASYNC251 (it is rude on purpose)


async def _connects(directory: Path, _client: Client, until_s: float) -> None:
    _say_begun()
    while time.monotonic() < until_s:
        with contextlib.suppress(CaxtonError):
            async with caxton.connect(directory):
                pass


async def _frames(directory: Path, _client: Client, until_s: float) -> None:
    _say_begun()
    await flood(RuntimeDir(directory), until_s, seed=1)


async def _bombs(_directory: Path, client: Client, until_s: float) -> None:
    bomb = next(each for each in kinds() if each.name == "300,000 functions")
    _say_begun()
    while time.monotonic() < until_s:
        with contextlib.suppress(CaxtonError):
            await client.deploy(NAME, bomb.wasm)


def _say_begun() -> None:
    sys.stdout.write(f"{BEGUN}\n")
    sys.stdout.flush()


def _left(until_s: float) -> float:
    return max(0.0, until_s - time.monotonic())


ATTACKS = {
    "chain": Attack(
        "a guest that answers everything, failures too, with messages to nobody",
        _guest("it answers everything, failures too, with messages to nobody", _DURABLE),
    ),
    "doubling": Attack(
        "a guest that answers everything with two messages of half a MiB to itself",
        _guest("it answers everything with two messages of half a MiB to itself", _VOLATILE),
    ),
    "many": Attack(
        "a guest that answers everything with 200 messages to itself",
        _guest("it answers everything with 200 messages to itself", _DURABLE),
    ),
    "loop": Attack("a guest that uses all of its time", _guest("a loop in handle_message", _VOLATILE), FULL_TURN_MS),
    "turns": Attack(f"{_LONG} agents whose turns are long, and end well", _long_turns(), LONG_TURN_MS),
    "strikes": Attack(f"{_LONG} agents of whose turns one in four is long", _long_turns(short=3), LONG_TURN_MS),
    "singly": Attack(f"{_LONG} agents that are sent one long turn each at a time", _long_turns_singly, LONG_TURN_MS),
    "refused": Attack("a client that sends to agents that do not exist", _to_nobody),
    "large": Attack("a client that sends MiBs to agents that are paused", _large_to_who_is_paused),
    "durable": Attack("a client that sends durable messages to agents that are paused", _durable_to_who_is_paused),
    "unread": Attack("a client that asks much and hardly reads", _asks_and_never_reads),
    "connects": Attack("a client that connects and ends, without a pause", _connects),
    "frames": Attack("a client whose frames are nearly right", _frames),
    "bombs": Attack("a client that deploys what takes long to compile", _bombs),
}


async def _attack(directory: Path, name: str, seconds: float) -> None:
    async with caxton.connect(directory) as client:
        with contextlib.suppress(TimeoutError, ExceptionGroup):
            await ATTACKS[name].run(directory, client, time.monotonic() + seconds)


def main(directory: str, name: str, seconds: str) -> int:
    """Attack for so many seconds, and say so when it begins."""
    asyncio.run(_attack(Path(directory), name, float(seconds)))
    return 0
