"""How contents that are values do beside bytes: requests, the two in turns, in one runtime."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
import typer
import uvloop

import caxton
from bench.guests.echo import deploy_echoes
from bench.options import RESULTS_DIR, ResultsDir, Seconds, Workers
from bench.output import Bar, bar
from bench.questions.clients import AGENTS, in_turns
from bench.results import finish
from bench.runtime import serving
from caxton.cli.output import Format, Output, reports_errors
from caxton.errors import CaxtonError
from caxton.ids import AgentId


class Order(msgspec.Struct):
    """A content of some 100 bytes of JSON."""

    item: str
    pieces: int
    price: float
    notes: list[str]


ORDER = Order("a pound of green tea", 3, 17.25, ["by noon", "at the back door", "no receipt"])
BYTES = msgspec.json.encode(ORDER)


class Asked:
    """Makes a batch of requests, has it answered, and reads the answers: as bytes, or as orders in an encoding."""

    def __init__(self, client: caxton.Client, agents: Sequence[AgentId], encoding: str | None) -> None:
        self._client, self._agents, self._encoding = client, agents, encoding

    async def __call__(self) -> list[caxton.Message | CaxtonError]:
        """Ask each agent once. Raises the first error, AssertionError for another answer than what was said."""
        said = BYTES if self._encoding is None else ORDER
        messages = [caxton.Message(agent, said, encoding=self._encoding) for agent in self._agents]
        answers = await self._client.request_many(messages)
        for answer in answers:
            if isinstance(answer, CaxtonError):
                raise answer
            if said != (answer.content if self._encoding is None else self._read(answer)):
                raise AssertionError("an answer is not what was said")
        return answers

    def _read(self, answer: caxton.Message) -> Order:
        """Return what an answer says; the agent gives back the bytes and does not say what they are."""
        return (
            msgspec.msgpack.decode(answer.content, type=Order) if self._encoding == "msgpack" else answer.decode(Order)
        )


def measure(batch: int, workers: int, seconds: float, bar: Bar) -> dict[str, Any]:
    """Ask with bytes, JSON and msgpack in turns, for so many seconds each."""
    with serving(workers) as served, asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        client = loop.run(caxton.connect(served.runtime_dir).__aenter__())
        agents = (loop.run(deploy_echoes(client, AGENTS)) * (1 + batch // AGENTS))[:batch]
        asked = [Asked(client, agents, encoding) for encoding in (None, "json", "msgpack")]
        of_bytes, of_json, of_msgpack = in_turns([partial(_answered, loop, one) for one in asked], seconds, bar)
        loop.run(client.__aexit__(None, None, None))
    return {
        "bytes_per_s": round(of_bytes.per_s),
        "json_per_s": round(of_json.per_s),
        "msgpack_per_s": round(of_msgpack.per_s),
        "json_ratio_to_bytes": round(of_json.per_s / of_bytes.per_s, 3),
        "msgpack_ratio_to_bytes": round(of_msgpack.per_s / of_bytes.per_s, 3),
        "cpu_us_each": {
            "bytes": round(of_bytes.cpu_us, 2),
            "json": round(of_json.cpu_us, 2),
            "msgpack": round(of_msgpack.cpu_us, 2),
        },
        "content_bytes": len(BYTES),
        "batch": batch,
        "workers": workers,
        "seconds": seconds,
    }


def _answered(loop: asyncio.Runner, asked: Asked) -> list[caxton.Message | CaxtonError]:
    return loop.run(asked())


EXAMPLES = "Example: python -m bench contents --seconds 10 -o json"


@reports_errors
def contents(
    batch: Annotated[int, typer.Option(min=1, max=100_000, help="Requests of each call.")] = 2_560,
    workers: Workers = 1,
    seconds: Seconds = 10.0,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Requests a second whose contents are made from values and read as values, and how that compares with bytes."""
    with bar(total=3 * seconds) as progress:
        result = measure(batch, workers, seconds, progress)
    finish("contents", result, output, results)
