"""docs/journey.md against the code: what the acts give stands on the page, to the byte, and nothing else does."""

import re

import pytest

from caxton.acl.failure import read_report
from caxton.acl.options import DeliveryOptions
from caxton.errors import CaxtonError
from caxton.store.waiting import decode_waiting
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import Hello
from caxton.wire.link_state import LinkState

DURABLE = 1
RETRY_S = 1


def of_lane(lane, source=None):
    """Return a test for link states of a lane, of one source if given."""
    return lambda value: isinstance(value, LinkState) and value.lane == lane and source in {None, value.source}


def hello_of(source):
    return lambda value: isinstance(value, Hello) and value.source == source


def at(memory, pointer, size):
    return memory[pointer : pointer + size].tobytes()


def response(sandbox, result):
    """Return what a guest answered with this number."""
    return at(sandbox._memory, result >> 32, result & 0xFFFF_FFFF)


def note_of(call):
    return f"root_source={call[2].root_source}, root_sequence={call[2].root_sequence}, agent={call[2].agent}"


def called(call, name="handle_message"):
    (first, second), result, _ = call
    return f"{name}({first}, {second}) = {result}"


def number_of(call):
    return f"{call[1]} = {call[1] >> 32} << 32 | {call[1] & 0xFFFF_FFFF}"


async def getting_there(stage, client):
    """Show who is there, and how the client and the splitter's worker greeted each other."""
    numbers = {"this client": stage.session} | {f"`{name}`": client.id_of(name) for name in stage.names}
    numbers |= {f"the file of shard {n}": store.file_id for n, store in enumerate(stage.stores.values())}
    found = {who: f"| {who} | `{n:016x}` | {int(n)} |" for who, n in numbers.items()}
    worker = stage.owner(client, "splitter")
    _, said = await stage.first(f"w-{worker}.control", 0, CONTROL, hello_of(stage.session))
    _, answered = await stage.first(f"s-{stage.session:016x}.control", 0, CONTROL, hello_of(worker))
    return found | {"the client's hello": said, "the worker's hello": answered}, []


async def send(stage, client):
    """Send a text to the splitter, and follow it and its word to the end."""
    session, splitter = f"s-{stage.session:016x}", client.id_of("splitter")
    here, there = stage.owner(client, "splitter"), stage.owner(client, "counter-0")
    assert here != there
    since, before, said = len(stage.sent), len(stage.commits), len(stage.calls)
    async with stage.watched() as passed:
        receipt = await client.send(client.id_of("splitter"), b"counter- 1\nhello")
        frame, out = await stage.first(f"w-{here}.data", since, DATA)
        written, commit = await stage.commit(here, before)
        word_frame, word = await stage.first(f"w-{there}.data", since, DATA)
        state_frame, state = await stage.first(f"{session}.control", since, CONTROL, of_lane(DURABLE))
        counted, _ = await stage.commit(there, before)
        _, back = await stage.first(f"w-{here}.control", since, CONTROL, of_lane(DURABLE, there))
        outbox = stage.shards[here].durable.outboxes.of(stage.table.shard_of(client.id_of("counter-0")))
        await stage.until(lambda: outbox.outgoing.acknowledged)
        settled = len(stage.commits)
        await stage.quiet(here)
        forgotten, _ = await stage.commit(here, settled, "settled")
    calls = stage.calls[said:]
    sandbox = stage.sandbox(client, "splitter")
    splitting = next(call for call in calls if call[2].agent == splitter and call[0][1])
    counting = next(call for call in calls if call[2].agent == client.id_of("counter-0") and call[0][1])
    return {
        "the id": f"{splitter:#x} & 1023 = {splitter & 1023}",
        "the slot": f"owners[{splitter & 1023}] = {stage.table.shard_of(splitter)}",
        "the envelope": out.messages[0],
        "the data frame": frame,
        "the crash note": note_of(splitting),
        "the call for a buffer": called(next(call for call in calls if call[0][0] == 4_096), "caxton_alloc").replace(
            ", 0)", ")"
        ),
        "what the guest reads": at(sandbox._memory, *splitting[0]),
        "the call": called(splitting),
        "the i64": number_of(splitting),
        "what the guest writes": response(sandbox, splitting[1]),
        "the word": word.messages[0],
        "the commit": written,
        "the state in it": commit.states[splitter],
        "the word's frame": word_frame,
        "the link state": state,
        "the link state frame": state_frame,
        "the receipt": receipt,
        "the counter's note": note_of(counting),
        "the counter's commit": counted,
        "the counter's worker's link state": back,
        "the commit that forgets": forgotten,
    }, passed


async def request(stage, client):
    """Ask the echo, on the volatile lane."""
    owner, echo, session = stage.owner(client, "echo"), client.id_of("echo"), f"s-{stage.session:016x}"
    stage.workers[owner].run_pass()  # its book shows what came before
    before, since, said = stage.book(owner), len(stage.sent), len(stage.calls)
    async with stage.watched() as passed:
        answer = await client.request(client.id_of("echo"), b"hello")
        after = stage.book(owner)
        frame, _ = await stage.first(f"w-{owner}.data", since, DATA)
        reply_frame, back = await stage.first(f"{session}.data", since, DATA)
        route = client._open().route_of(echo).volatile
        await stage.until(lambda: route.link.outgoing.acknowledged)
        client._open()._tick()
        _, last = await stage.first(f"w-{owner}.control", since, CONTROL, of_lane(0))
        outgoing = stage.shards[owner].peers.by_number[stage.session].link.outgoing
        await stage.until(lambda: outgoing.acknowledged)
    handled = next(call for call in stage.calls[said:] if call[0][1])
    assert response(stage.sandbox(client, "echo"), handled[1]) == answer.content == b"hello"
    grew = {name: n - before.counters[name] for name, n in after.counters.items() if name != "passes"}
    return {
        "the frame": frame,
        "the call": called(handled),
        "the i64": number_of(handled),
        "the reply": back.messages[0],
        "the reply frame": reply_frame,
        "the book before": f"{before.links[stage.session]!r}" if stage.session in before.links else "{}",
        "the book after": {stage.session: after.links[stage.session]},
        "what was counted": {name: n for name, n in grew.items() if n},
        "the link state": back.state,
        "the message": answer,
        "the last link state": last,
    }, passed


async def waiting(stage, client):
    """Send to an agent that is paused, then resume it."""
    worker, before = stage.owner(client, "echo"), len(stage.commits)
    await client.pause("echo")
    await client.send(client.id_of("echo"), b"later")
    waits, _ = await stage.commit(worker, before, "unfinished")
    before = len(stage.commits)
    await client.resume("echo")
    done, _ = await stage.commit(worker, before, "done")
    return {"the commit of what waits": waits, "the commit of its end": done}, []


async def trap(stage, client):
    """Let an agent trap on a durable message twice, which is as often as this one is tried."""
    worker, session = stage.owner(client, "faulty"), f"s-{stage.session:016x}"
    before = len(stage.commits)
    await client.send(client.id_of("faulty"), b"\0", options=DeliveryOptions(max_retries=1))
    waits, commit = await stage.commit(worker, before, "queued")
    (row,) = commit.queued.values()
    (waiting,) = decode_waiting(row.message)
    before, since = len(stage.commits), len(stage.sent)
    stage.now_ns += 10**9 * RETRY_S
    stage.workers[worker]._tick()
    dead, _ = await stage.commit(worker, before, "dead")
    _, failure = await stage.first(f"{session}.data", since, DATA)
    error = read_report(failure.messages[0].content)
    return {
        "the commit of a message that waits": waits,
        "how it waits": waiting,
        "the commit of a dead letter": dead,
        "the failure": failure.messages[0],
        "the error of a trap": f"{type(error).__name__}: {error}",
    }, []


async def refusal(stage, client):
    """Speak to nobody."""
    worker = stage.owner(client, "nobody")
    before, since = len(stage.commits), len(stage.sent)
    with pytest.raises(CaxtonError) as unknown:
        await client.send("nobody", b"hello")
    written, _ = await stage.commit(worker, before)
    _, state = await stage.first(f"s-{stage.session:016x}.control", since, CONTROL, of_lane(DURABLE))
    return {
        "the commit of a refusal": written,
        "the refusal": state.refusals[0],
        "the error of a refusal": f"{type(unknown.value).__name__}: {unknown.value}",
    }, []


@pytest.fixture(scope="module")
def acts():
    return [getting_there, send, request, waiting, trap, refusal]


@pytest.fixture(scope="module")
def given(journey):
    """Every value of every act, by the act's name and its own."""
    return {f"{act}: {name}": value for act, (values, _) in journey.items() for name, value in values.items()}


def without_notes(text):
    """Return text without what the page says beside a value, after two spaces and a #."""
    return re.sub(r" {2,}# .*", "", text)


def test_the_page_shows_what_travels(given, page, flat):
    """Every frame, message, commit and number that the run gives stands on the page, to the byte."""
    shown = flat(without_notes(page))

    assert {name: flat(value) for name, value in given.items() if flat(value) not in shown} == {}


def test_the_page_shows_nothing_else(given, page, flat):
    """Every block of the page is one of the values that the run gives."""
    blocks = [flat(without_notes(block)) for block in re.findall(r"^```\w*\n(.*?)^```", page, re.MULTILINE | re.DOTALL)]

    assert blocks
    assert set(blocks) - {flat(value) for value in given.values()} == set()


def test_no_file_on_the_way_is_left_out(journey, page):
    """Every file in which a function ran for the message or the request is named on the page."""
    files = {file for _, passed in journey.values() for file, _ in passed}

    assert len(files) > 40
    assert {file for file in files if f"`{file}" not in page} == set()


@pytest.mark.parametrize(("act", "title", "fewest"), [("send", "A durable message", 30), ("request", "A request", 8)])
def test_the_doors_stand_in_order(journey, page, act, title, fewest):
    """The functions at the doors of a part were called in the order of the page, section by section."""
    _, _, part = page.partition(f"\n# {title}\n")
    part, _, _ = part.partition("\n# ")
    sections = [DOOR.findall(section) for section in part.split("\n## ")]

    assert sum(map(len, sections)) > fewest
    for doors in sections:
        calls = iter(journey[act][1])
        assert [door for door in doors if door not in calls] == []  # each `in` goes on where the last one ended


DOOR = re.compile(r"^\*\*\d+\.\*\* `([\w/]+\.py):([\w.]+)`", re.MULTILINE)
