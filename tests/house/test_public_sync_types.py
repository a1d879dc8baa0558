"""What type checkers and editors know of the client without a loop: they read this file as a program.

Like test_public_types.py, of which `disallow-any-expr` and `assert_type` are explained there.
"""
# mypy: disallow-any-expr

from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import caxton


def send_and_ask(client: caxton.sync.Client, ids: list[caxton.AgentId], mixed: tuple[caxton.Agent, ...]) -> None:
    """Never run: what a program does with messages."""
    assert_type(client.send(ids, b"hello"), list[caxton.Receipt | caxton.errors.CaxtonError])
    assert_type(client.send(mixed, b"hello"), list[caxton.Receipt | caxton.errors.CaxtonError])
    assert_type(client.send(caxton.Everyone("translate"), b"hello"), list[caxton.Receipt | caxton.errors.CaxtonError])
    assert_type(client.send("echo", b"hello", options=caxton.DeliveryOptions(timeout_ms=1_000)), caxton.Receipt)
    assert_type(client.request(ids[0], b"hello", performative=caxton.Performative.CFP), caxton.Message)
    messages = [caxton.Message(ids[0], b"hello")]
    assert_type(client.send_batch(messages), list[caxton.Receipt | caxton.errors.CaxtonError])
    assert_type(client.request_many(messages), list[caxton.Message | caxton.errors.CaxtonError])
    inbox = assert_type(client.inbox(), caxton.sync.Inbox)
    assert_type(inbox.next(0.5), caxton.Message | None)
    for message in inbox:
        assert_type(message, caxton.Message)


def look(client: caxton.sync.Client) -> None:
    """Never run: what a program does with agents, and learns of a runtime."""
    assert_type(client.deploy("echo", Path("echo.wasm")), caxton.AgentId)
    listing = assert_type(client.agents(name="tally-*", limit=10), caxton.sync.AgentListing)
    assert_type(list(listing), list[caxton.AgentView])
    assert_type(listing.total, int)
    assert_type(client.find("translate"), caxton.sync.AgentListing)
    assert_type(client.inspect("echo"), caxton.AgentView)
    assert_type(client.waiting("echo", limit=10), Iterator[caxton.KeptMessage])
    assert_type(client.dead_letters(), Iterator[caxton.DeadLetter])
    assert_type(client.conversations(state="expired"), Iterator[caxton.ConversationView])
    assert_type(client.capabilities(), Iterator[caxton.CapabilityView])
    assert_type(client.new_conversation(), caxton.ConversationId)
    assert_type(client.health(), caxton.Health)
    assert_type(client.ledger(), caxton.Ledger)
    assert_type(client.auction(b"cow", ["anna"], start=100, step=10), caxton.AuctionResult)
    assert_type(client.contract_net(b"{}", to=["anna", "bert"]), caxton.ContractResult)


def attach(runtime_dir: Path) -> None:
    """Never run: a program that is an agent itself, and several."""

    def handle(delivered: caxton.Delivered) -> bytes:
        return assert_type(delivered.message, caxton.Message).content

    async def handle_in_the_loop(delivered: caxton.Delivered) -> bytes:
        return delivered.message.content

    def handle_all(delivered: list[caxton.Delivered]) -> list[caxton.Said]:
        return [None for _ in delivered]

    each: caxton.sync.EachHandler = handle
    batch: caxton.sync.BatchHandler = handle_all
    with caxton.connect_sync(runtime_dir) as client, client.attach("scribe", each) as agent:
        assert_type(client, caxton.sync.Client)
        assert_type(agent, caxton.sync.AttachedAgent)
        assert_type(agent.agent_id, caxton.AgentId)
        assert_type(client.attach("all", batch, batch=True), caxton.sync.AttachedAgent)
        assert_type(client.attach("loop", handle_in_the_loop), caxton.sync.AttachedAgent)
        assert_type(agent.wait(), None)

        @client.agent("upper")
        def upper(message: caxton.Message) -> bytes:
            return message.content.upper()

        with client.host(upper) as hosting:
            assert_type(hosting, caxton.sync.Hosting)
        assert_type(client.serve(), None)


def listen(client: caxton.sync.Client) -> None:
    """Never run: a subscription, in a loop alone and in a block."""
    for message in client.subscribe("ticker", b"all"):
        assert_type(message, caxton.Message)
    with client.subscribe("ticker") as news:
        assert_type(news, caxton.sync.Subscription)
        assert_type(next(news), caxton.Message)
        assert_type(news.last_word, caxton.Message | None)


def test_every_public_name_has_its_type_pinned_here() -> None:
    """Whatever `caxton.sync` exports, this file uses, and so mypy looks at it."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in caxton.sync.__all__ if f"caxton.{name}" not in text and f"sync.{name}" not in text] == []
