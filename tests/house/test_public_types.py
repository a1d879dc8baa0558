"""What type checkers and editors know of the public names: `mypy --strict` and pyright read this file as a program.

`assert_type` fails both when a type has become another one, Any included, and the line below when any expression has
become Any.
"""
# mypy: disallow-any-expr

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import assert_type

import caxton


@dataclass
class Order:
    """What a message may say."""

    item: str


async def send_to_many(client: caxton.Client, ids: list[caxton.AgentId], mixed: tuple[caxton.Agent, ...]) -> None:
    """Never run: whatever names agents may be listed as it is."""
    assert_type(await client.send(ids, b"hello"), list[caxton.Receipt | caxton.errors.CaxtonError])
    assert_type(await client.send(mixed, b"hello"), list[caxton.Receipt | caxton.errors.CaxtonError])
    assert_type(await client.send([ids[0], "echo"], b"hello"), list[caxton.Receipt | caxton.errors.CaxtonError])


async def send_and_ask(client: caxton.Client, agent: caxton.AgentId) -> None:
    """Never run: what a program does with messages."""
    assert_type(await client.send(agent, b"hello"), caxton.Receipt)
    assert_type(await client.send("echo", b"hello", options=caxton.DeliveryOptions(timeout_ms=1_000)), caxton.Receipt)
    assert_type(await client.request(agent, b"hello", performative=caxton.Performative.CFP), caxton.Message)
    assert_type(await client.send("echo", {"price": 7}, encoding="json"), caxton.Receipt)
    assert_type(await client.request("echo", Order("tea"), encoding="msgpack"), caxton.Message)
    messages = [caxton.Message(agent, b"hello"), caxton.Message(5, delivery_options=caxton.DeliveryOptions())]
    assert_type(await client.send_batch(messages), list[caxton.Receipt | caxton.errors.CaxtonError])
    assert_type(await client.request_many(messages), list[caxton.Message | caxton.errors.CaxtonError])
    assert_type(await client.send("echo", bytearray(b"hello"), performative="request"), caxton.Receipt)
    assert_type(
        await client.send_batch(message for message in messages), list[caxton.Receipt | caxton.errors.CaxtonError]
    )
    inbox = assert_type(client.inbox(), caxton.Inbox)
    async for message in inbox:
        assert_type(message, caxton.Message)


async def deploy_and_look(client: caxton.Client) -> None:
    """Never run: what a program does with agents."""
    limits = caxton.Limits(max_fuel=1_000_000)
    assert_type(await client.deploy("echo", Path("echo.wasm"), limits=limits), caxton.AgentId)
    assert_type(await client.deploy("echo", "echo.wasm"), caxton.AgentId)
    deployments = [caxton.Deployment("echo", b"", limits=limits)]
    assert_type(await client.deploy_many(deployments), list[caxton.AgentId | caxton.errors.CaxtonError])
    listing = assert_type(client.agents(name="tally-*", state="running", limit=10), caxton.AgentListing)
    assert_type(await listing, list[caxton.AgentView])
    async for agent in listing:
        assert_type(agent, caxton.AgentView)
    view = assert_type(await client.inspect("echo"), caxton.AgentView)
    assert_type(view.id, caxton.AgentId)
    assert_type(await client.send(view, b"hello"), caxton.Receipt)
    assert_type(await client.purge(agent=view, before=datetime.now(UTC)), int)
    kept = assert_type(await client.message("019b76da-a800-7abc-8000-000000003000"), caxton.KeptMessage)
    assert_type(client.waiting("echo", after=kept, limit=10), AsyncIterator[caxton.KeptMessage])
    assert_type(client.dead_letters(), AsyncIterator[caxton.DeadLetter])
    letter = assert_type(await client.dead_letter("0-17"), caxton.DeadLetter)
    assert_type(letter.message, caxton.Message)
    assert_type(await client.requeue(letter), dict[str, caxton.MessageId])
    assert_type(await client.requeue([letter, letter.id]), dict[str, caxton.MessageId])
    assert_type(await client.requeue(everything=True), dict[str, caxton.MessageId])
    assert_type((await client.health()).workers[0].last_exit, str | None)
    assert_type((await client.stats()).lost, dict[str, int])
    assert_type((await client.ledger()).balanced, bool)
    assert_type((await client.dead_letter_stats()).messages_by_reason, dict[str, int])
    assert_type(caxton.testing.runtime(workers=2).connect(), caxton.Client)
    assert_type(caxton.connect_sync(), caxton.sync.Client)  # the rest of it: test_public_sync_types.py


async def converse(client: caxton.Client, limits: caxton.ConversationLimits) -> None:
    """Conversations are begun, found, counted and resumed."""
    options = caxton.DeliveryOptions(conversation=limits)
    begun = assert_type(client.new_conversation(), caxton.ConversationId)
    await client.send("echo", b"hello", conversation_id=begun, options=options)
    view = assert_type(await client.conversation(begun), caxton.ConversationView)
    assert_type(view.history, tuple[caxton.Summary, ...])
    assert_type(view.participants, tuple[caxton.AgentId, ...])
    assert_type(client.conversations(agent="echo", state="expired", limit=3), AsyncIterator[caxton.ConversationView])
    assert_type(await client.conversation_stats(), caxton.ConversationStats)
    assert_type(await client.resume_conversation(view, timeout_s=600), caxton.ConversationView)


async def look_at_the_runtime(client: caxton.Client, letter: caxton.DeadLetter) -> None:
    """Never run: what a program learns of a runtime."""
    health = assert_type(await client.health(), caxton.Health)
    assert_type(health.workers, list[caxton.WorkerHealth])
    assert_type(health.reasons, list[caxton.HealthReason])
    assert_type(health.components, dict[str, caxton.ComponentHealth])
    stats = assert_type(await client.stats(), caxton.RouterStats)
    settings = assert_type(await client.settings(), list[caxton.Setting])
    assert_type(await client.change_settings({settings[0].key: None}), list[caxton.Setting])
    assert_type(stats.errors_by_type, dict[str, int])
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


async def host(client: caxton.Client) -> None:
    """Never run: a program that is several agents."""

    @client.agent("upper", capabilities=["shout"])
    async def upper(message: caxton.Message) -> bytes:
        return message.content.upper()

    @caxton.agent("seller")
    class Seller:
        def on_cfp(self, message: caxton.Message, turn: caxton.Turn) -> caxton.Message:
            turn.send("log", b"asked", performative="inform")
            assert_type(turn.delivery_count, int)
            return message.reply(b"7", performative="propose")

    assert_type(await upper(caxton.Message(5)), bytes)
    assert_type(Seller(), Seller)
    async with client.host(upper, Seller, replace=True) as hosting:
        assert_type(hosting, caxton.Hosting)
        assert_type(hosting.agents, dict[str, caxton.AttachedAgent])
    assert_type(await client.serve(), None)


async def keep(client: caxton.Client) -> None:
    """Never run: an attached agent that keeps a state."""

    async def handle(delivered: caxton.Delivered) -> caxton.Saved:
        return caxton.Saved(assert_type(delivered.state, bytes) + b"x", b"said")

    assert_type(client.attach("keeper", handle, state=True), caxton.AttachedAgent)


async def ask_and_tell(client: caxton.Client) -> None:
    """Never run: a query, and a broadcast."""
    assert_type(await client.query("anna", b"price"), caxton.Message)
    assert_type(
        await client.broadcast(b"news", caxton.Capability("read")),
        dict[caxton.AgentId, caxton.Receipt | caxton.errors.CaxtonError],
    )
    assert_type((await client.broadcast(b"news", ["anna"])).popitem()[0], caxton.AgentId)


async def listen(client: caxton.Client) -> None:
    """Never run: a subscription, in a loop alone and in a block."""
    async for message in client.subscribe("ticker", b"all"):
        assert_type(message, caxton.Message)
    async with client.subscribe(caxton.Capability("tick")) as news:
        assert_type(news, caxton.Subscription)
        assert_type(await anext(news), caxton.Message)
        assert_type(news.last_word, caxton.Message | None)


async def drain(client: caxton.Client) -> None:
    """Never run: a drain."""
    drained = assert_type(await client.drain("anna", timeout_s=5), caxton.Drained)
    assert_type((drained.agent_id, drained.is_complete), tuple[caxton.AgentId, bool])


async def sell(client: caxton.Client) -> None:
    """Never run: an auction."""
    sold = assert_type(await client.auction(b"cow", ["anna"], start=100, step=10), caxton.AuctionResult)
    assert_type(sold.outcome, caxton.AuctionOutcome)
    assert_type(sold.winner, caxton.AgentId | None)
    assert_type([*sold.rounds], list[caxton.AuctionRound])


async def negotiate(client: caxton.Client) -> None:
    """Never run: a contract net."""
    contract = assert_type(await client.contract_net(b"{}", to=["anna", "bert"]), caxton.ContractResult)
    assert_type(contract.outcome, caxton.Outcome)
    assert_type(contract.result, caxton.Message | None)
    assert_type(await client.contract_net(b"{}", caxton.Capability("bid")), caxton.ContractResult)
    assert_type(await client.contract_net(b"{}", ["anna"], choose=lambda bids: bids[0]), caxton.ContractResult)


async def find_who_can(client: caxton.Client, agent: caxton.AgentId) -> None:
    """Never run: agents by what they can do."""
    assert_type(await client.send(caxton.Capability("translate"), b"hello"), caxton.Receipt)
    assert_type(
        await client.send(caxton.Everyone("translate"), b"hello"), list[caxton.Receipt | caxton.errors.CaxtonError]
    )
    assert_type(await client.request(caxton.Capability("a", "b", balancing="weighted"), b"hello"), caxton.Message)
    assert_type(caxton.Message(caxton.Capability("a")).capability, caxton.Capability | None)
    assert_type(await client.find("translate"), list[caxton.AgentView])
    assert_type(await client.lookup([agent]), list[caxton.AgentView | caxton.errors.CaxtonError])
    assert_type(await client.advertise(agent, add=["translate"], health="unhealthy"), caxton.AgentView)
    async for capability in client.capabilities():
        assert_type(capability, caxton.CapabilityView)
        assert_type(capability.healthy, int)


async def operate(client: caxton.Client, directory: Path) -> None:
    """Never run: systems of agents from files, what agents log, say and do, and a backup."""
    assert_type(caxton.read_manifest("agent.toml"), caxton.Deployment)
    system = assert_type(caxton.read_system(directory / "system.toml"), caxton.System)
    assert_type(await client.plan(system, prune=True), list[caxton.Change])
    async for change in client.apply(system):
        assert_type(change, caxton.Change)
    async for line in client.logs("echo", tail=10, follow=True):
        assert_type(line, caxton.LogLine)
    async for event in client.events(kinds=["agent_failed"], agent="echo", follow=True):
        assert_type(event, caxton.EventView)
    assert_type(client.audit(subject="echo"), AsyncIterator[caxton.AuditRow])
    assert_type(await client.audit_page(10, newest_first=True), caxton.AuditRows)
    assert_type(await client.audit_head(), caxton.AnchoredHead)
    assert_type(caxton.AuditHead(1, 1, 1, b""), caxton.AuditHead)
    assert_type(await client.verify_audit(), list[str])
    async for watched in client.watch("echo", with_content=True):
        assert_type(watched, caxton.WatchedMessage)
    spans = assert_type(await client.spans(), caxton.Spans)
    assert_type(spans.spans, Sequence[caxton.Span])
    assert_type(spans.cursor, caxton.SpanCursor)
    busiest = assert_type(await client.busiest("time", limit=5), caxton.Busiest)
    assert_type(busiest.agents, list[caxton.BusyAgent])
    graph = assert_type(await client.call_graph(5, over_s=0), caxton.CallGraph)
    assert_type(graph.pairs, list[caxton.CallPair])
    made = assert_type(await client.create_token("ci", "viewer", agents=["shop-*"]), caxton.NewToken)
    assert_type(made.about, caxton.TokenView)
    assert_type(await client.tokens(), list[caxton.TokenView])
    assert_type(await client.revoke_token(made.about.token_id), caxton.TokenView)
    backup = assert_type(await client.backup(directory), caxton.Backup)
    assert_type(backup.files, list[caxton.BackupFile])


def look_at_values(message: caxton.Message, receipt: caxton.Receipt, error: caxton.errors.QueueFull) -> None:
    """Never run: what values hold."""
    assert_type(message.sender, caxton.AgentId | None)
    assert_type(message.performative, caxton.Performative)
    assert_type(message.decode(Order), Order)
    assert_type(message.decode(dict[str, int]), dict[str, int])
    assert_type(caxton.read_message(b"{}"), caxton.Message)
    assert_type(caxton.message_values(message)["receiver"], object)
    assert_type(message.failure(), caxton.errors.CaxtonError | None)
    told = caxton.read_escalation(message)
    assert_type(told, caxton.Escalation | None)
    assert_type(message.conversation_id, caxton.ConversationId | None)
    assert_type(message.delivery_options.priority, caxton.Level)
    assert_type(receipt.message_id, caxton.MessageId)
    assert_type(receipt.lane, caxton.Lane)
    assert_type(receipt.tried, tuple[caxton.AgentId, ...])
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
    for module in (caxton.errors, caxton.sync, caxton.testing):
        assert isinstance(module, ModuleType)
