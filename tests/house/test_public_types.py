"""What type checkers and editors know of the public names: `mypy --strict` reads this file, and the tests look at it.

`assert_type` fails mypy when a type has become another one, and the line below when any expression has become Any.
"""
# mypy: disallow-any-expr

from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import assert_type

import caxton


async def send_and_ask(client: caxton.Client, agent: caxton.AgentId) -> None:
    """Never run: what a program does with messages."""
    assert_type(await client.send(agent, b"hello"), caxton.Receipt)
    assert_type(await client.send("echo", b"hello", options=caxton.DeliveryOptions(timeout_ms=1_000)), caxton.Receipt)
    assert_type(await client.request(agent, b"hello", performative=caxton.Performative.CFP), caxton.Message)
    messages = [caxton.Message(agent, b"hello"), caxton.Message(5, delivery_options=caxton.DeliveryOptions())]
    assert_type(await client.send_batch(messages), list[caxton.Receipt | caxton.errors.CaxtonError])
    assert_type(await client.request_many(messages), list[caxton.Message | caxton.errors.CaxtonError])
    assert_type(await client.send("echo", bytearray(b"hello"), performative="request"), caxton.Receipt)
    assert_type(
        await client.send_batch(message for message in messages), list[caxton.Receipt | caxton.errors.CaxtonError]
    )
    async for message in client.inbox():
        assert_type(message, caxton.Message)


async def deploy_and_look(client: caxton.Client) -> None:
    """Never run: what a program does with agents."""
    limits = caxton.Limits(max_fuel=1_000_000)
    assert_type(await client.deploy("echo", Path("echo.wasm"), limits=limits), caxton.AgentId)
    assert_type(await client.deploy("echo", "echo.wasm"), caxton.AgentId)
    deployments = [caxton.Deployment("echo", b"", limits=limits)]
    assert_type(await client.deploy_many(deployments), list[caxton.AgentId | caxton.errors.CaxtonError])
    assert_type(await client.agents(), list[caxton.AgentView])
    assert_type(await client.inspect("echo"), caxton.AgentView)
    assert_type(client.dead_letters(), AsyncIterator[caxton.DeadLetter])
    letter = assert_type(await client.dead_letter("0-17"), caxton.DeadLetter)
    assert_type(letter.message, caxton.Message)
    assert_type(await client.requeue(letter), dict[str, caxton.MessageId])
    assert_type(await client.requeue([letter, letter.id]), dict[str, caxton.MessageId])
    assert_type(await client.requeue(everything=True), dict[str, caxton.MessageId])
    assert_type((await client.health())["workers"][0]["last_exit"], str | None)
    assert_type((await client.stats())["lost"], dict[str, int])
    assert_type((await client.ledger()).balanced, bool)
    assert_type((await client.dead_letter_stats()).by_reason, dict[str, int])
    assert_type(caxton.testing.runtime(workers=2).connect(), caxton.Client)


async def look_at_the_runtime(client: caxton.Client, letter: caxton.DeadLetter) -> None:
    """Never run: what a program learns of a runtime."""
    health = assert_type(await client.health(), caxton.HealthValues)
    assert_type(health["workers"], list[caxton.WorkerHealthValues])
    assert_type(await client.stats(), caxton.StatsValues)
    ledger = assert_type(await client.ledger(), caxton.Ledger)
    assert_type(ledger.whole, caxton.Figures)
    assert_type(await client.dead_letter_stats(), caxton.DeadLetterStats)
    assert_type(letter.error, caxton.Failed)
    assert_type(await client.requeue(caxton.LetterNumber(0, 17)), dict[str, caxton.MessageId])


async def attach(runtime_dir: Path) -> None:
    """Never run: a program that is an agent itself."""

    async def handle(delivered: caxton.Delivered) -> bytes:
        assert_type(delivered.delivery_count, int)
        return assert_type(delivered.message, caxton.Message).content

    async def handle_all(delivered: list[caxton.Delivered]) -> list[caxton.Said]:
        return [None for _ in delivered]

    each: caxton.EachHandler = handle
    batch: caxton.BatchHandler = handle_all
    assert_type(caxton.Client(runtime_dir).attach("each", each), caxton.AttachedAgent)
    assert_type(caxton.Client(runtime_dir).attach("all", batch, batch=True), caxton.AttachedAgent)
    async with caxton.connect(runtime_dir) as client, client.attach("scribe", handle) as agent:
        assert_type(client, caxton.Client)
        assert_type(agent, caxton.AttachedAgent)
        assert_type(agent.agent_id, caxton.AgentId)


def look_at_values(message: caxton.Message, receipt: caxton.Receipt, error: caxton.errors.QueueFull) -> None:
    """Never run: what values hold."""
    assert_type(message.sender, caxton.AgentId | None)
    assert_type(message.performative, caxton.Performative)
    assert_type(message.failure(), caxton.errors.CaxtonError | None)
    assert_type(message.conversation_id, caxton.ConversationId | None)
    assert_type(message.delivery_options.priority, caxton.Level)
    assert_type(receipt.message_id, caxton.MessageId)
    assert_type(receipt.lane, caxton.Lane)
    assert_type(error.capacity, int)
    assert_type(caxton.__version__, str)


def test_every_public_name_has_its_type_pinned_here() -> None:
    """Whatever the package exports, this file uses, and so mypy looks at it."""
    text = Path(__file__).read_text(encoding="utf-8")

    assert [name for name in caxton.__all__ if f"caxton.{name}" not in text] == []


def test_every_public_name_is_there_and_is_listed() -> None:
    """A name that is exported can be had, and `dir` tells it to whoever completes names."""
    for name in caxton.__all__:
        assert getattr(caxton, name) is not None  # type: ignore[misc] # by name it has no type
    assert set(caxton.__all__) <= set(dir(caxton))


def test_a_name_that_is_not_public_is_missed_by_name() -> None:
    """A misspelt name is an AttributeError, and no type checker takes it for one that is there."""
    said = ""
    try:
        caxton.connection  # type: ignore[attr-defined] # noqa: B018 (the error is what is looked for)
    except AttributeError as error:
        said = str(error)

    assert "connection" in said


def test_submodules_are_there_without_an_import() -> None:
    """`import caxton` is enough to catch `caxton.errors.Timeout`."""
    for module in (caxton.errors, caxton.testing):
        assert isinstance(module, ModuleType)
