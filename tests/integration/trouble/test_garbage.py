"""Garbage on every socket there is: counted, dropped, and everything goes on."""

import random
import socket
from contextlib import ExitStack, suppress

import msgspec
import pytest
import zmq

from caxton.store import books
from caxton.testing import eventually
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir
from caxton.transport.sockets import MAX_SOCKET_FRAME
from caxton.wire.frames import MAX_FRAME_BYTES

SEED = 1
DEEP = b"\x91" * 200_000
CALLS, FRAMES = "calls that do not decode", "frames that do not decode"


def noise():
    """Frames that are none: empty, short, random, of another version, deep."""
    dice = random.Random(SEED)
    random_ones = [dice.randbytes(dice.randrange(1, 2_000)) for _ in range(50)]
    of_our_version = [b"\x01" + dice.randbytes(dice.randrange(1, 200)) for _ in range(50)]
    plain = [b"", b"\x00", b"\x01", b"\x02", b"\x01\xc1", b"\x01\xc0", b"\x01" + DEEP[:50_000]]
    huge = b"\x01\x96\x01\xc4\x10" + bytes(16) + b"\x01\x00\x01" + b"\xdd\xff\xff\xff\xff"
    return [*plain, huge, *random_ones, *of_our_version]


NOISE = noise()
# Each of them ends the connection that it comes on.
LARGE = [b"\x01" + DEEP, bytes(1_000_000), bytes(MAX_FRAME_BYTES + 1)]


@pytest.fixture
def connected():
    """Connects raw sockets, and closes them after the test."""
    context = zmq.Context()
    sockets = []

    def connect(endpoint, kind=zmq.PUSH):
        connecting = context.socket(kind)
        sockets.append(connecting)
        connecting.setsockopt(zmq.SNDTIMEO, 5_000)
        connecting.connect(endpoint)
        return connecting

    yield connect
    for connecting in sockets:
        connecting.close(linger=0)
    context.term()


@pytest.fixture
async def goes_on(served, client, agent):
    """Proves that nobody noticed: the same processes serve, and the same agent answers out of its memory."""
    counter = await agent("mischief", "counter")
    await client.request(counter, b"")
    pids = [worker.pid for worker in (await client.health()).workers]

    async def check():
        health = await client.health()
        assert health.status == "healthy"
        assert [worker.pid for worker in health.workers] == pids
        assert (await client.request(counter, b"")).content == (2).to_bytes(8, "little")
        async with served.connect() as another:
            assert (await another.request(counter, b"")).content == (3).to_bytes(8, "little")

    return check


@pytest.fixture
def directory(served):
    return RuntimeDir(served.runtime_dir)


@pytest.fixture
async def worker(client):
    return (await client.health()).workers[0].incarnation


@pytest.mark.parametrize("inlet", ["data", "control"])
async def test_garbage_to_a_worker(directory, worker, connected, shard_counter, goes_on, inlet):
    """Every frame of noise on a worker's inlets is counted as garbage, once; a large one ends its connection."""
    before = await shard_counter("garbage")
    outlet = connected(getattr(directory, inlet)(worker))

    for frame in NOISE:
        outlet.send(frame)
    for frame in LARGE:
        connected(getattr(directory, inlet)(worker)).send(frame)

    async def all_counted():
        return await shard_counter("garbage") == before + len(NOISE) + len(LARGE)

    await eventually(all_counted)
    await goes_on()


@pytest.mark.parametrize("inlet", ["data", "control"])
async def test_a_message_of_several_parts_is_no_frame(directory, worker, connected, shard_counter, goes_on, inlet):
    """A ZeroMQ message of several parts ends its connection, which is counted as garbage, once."""
    before = await shard_counter("garbage")
    connected(getattr(directory, inlet)(worker)).send_multipart([b"one", b"", b"three"])

    async def all_counted():
        return await shard_counter("garbage") == before + 1

    await eventually(all_counted)
    await goes_on()


async def test_a_message_beyond_what_a_socket_takes(directory, worker, connected, goes_on):
    """A frame beyond 16 MiB ends its connection, and nothing else."""
    for endpoint in (directory.data(worker), directory.control(SUPERVISOR), directory.calls):
        kind = zmq.DEALER if endpoint == directory.calls else zmq.PUSH
        connected(endpoint, kind).send(bytes(MAX_SOCKET_FRAME + 1))

    await goes_on()


async def test_garbage_to_the_supervisors_desk(directory, client, connected, goes_on):
    """Calls that do not decode, of any number of parts, are counted and not answered."""
    before = (await client.stats()).dropped_by_supervisor.get(CALLS, 0)
    line = connected(directory.calls, zmq.DEALER)

    for frame in NOISE:
        line.send(frame)
    for frame in LARGE:
        connected(directory.calls, zmq.DEALER).send(frame)
    for parts in ([b"", b"behind an empty part"], [b"a", b"b", b"c"]):
        connected(directory.calls, zmq.DEALER).send_multipart(parts)

    async def all_counted():
        return (await client.stats()).dropped_by_supervisor.get(CALLS, 0) == before + len(NOISE) + len(LARGE) + 2

    await eventually(all_counted)
    assert not line.poll(0)
    await goes_on()


async def test_calls_that_are_nearly_right(directory, client, connected, goes_on):
    """Calls with a field outside its bounds are dropped: an upload beyond 64 MiB does not even begin."""
    before = (await client.stats()).dropped_by_supervisor.get(CALLS, 0)
    line = connected(directory.calls, zmq.DEALER)
    limits = {"max_memory_bytes": 1 << 20}
    odd = [
        [1, [2, bytes(32), (64 << 20) + 1, 0, b"\0asm", "large", limits]],
        [1, [2, bytes(31), 8, 0, b"\0asm", "short", limits]],
        [1, [2, bytes(32), 8, -1, b"\0asm", "negative", limits]],
        [1, [2, bytes(32), 8, 0, bytes((4 << 20) + 1), "chunk", limits]],
        [1, [2, bytes(32), 8, 0, b"\0asm", "limits", {"max_memory_bytes": 1}]],
        [1, [2, bytes(32), 8, 0, b"\0asm", "limits", {"max_memory": 1 << 20}]],
        [1, [1, -1, "x" * 101]],
        [-1, [3]],
        [1, [99]],
    ]

    for call in odd:
        line.send(b"\x01" + msgspec.msgpack.encode(call))

    async def all_counted():
        return (await client.stats()).dropped_by_supervisor.get(CALLS, 0) == before + len(odd)

    await eventually(all_counted)
    await goes_on()


async def test_pieces_of_uploads_that_do_not_fit_are_refused(directory, client, connected, goes_on):
    """A piece that follows nothing, or lies about its hash, is answered with an error, and nothing is kept."""
    line = connected(directory.calls, zmq.DEALER)
    line.setsockopt(zmq.RCVTIMEO, 5_000)
    pieces = [
        [1, [2, bytes(32), 8, 4, b"\0asm", "follows nothing", {}]],
        [2, [2, bytes(32), 8, 0, b"\0asm\1\0\0\0", "lies", {}]],
        [3, [2, bytes(32), 4, 0, b"\0asm\1\0\0\0", "longer than it said", {}]],
    ]

    for piece in pieces:
        line.send(b"\x01" + msgspec.msgpack.encode(piece))
        call_id, (tag, error, _) = msgspec.msgpack.decode(line.recv()[1:])
        assert (call_id, tag, error) == (piece[0], 20, "ValidationError")

    await goes_on()


async def test_garbage_to_the_supervisors_inlet(directory, client, connected, raw_session, goes_on):
    """Noise, and heartbeats of those that are no worker, are counted and dropped."""
    before = (await client.stats()).dropped_by_supervisor
    outlet = connected(directory.control(SUPERVISOR))
    beat = [0, True, 0, True, {"agents": 1_000_000}]
    odd = {
        "frames that are no heartbeats": [2, raw_session.number, raw_session.mark, 0, 0, 0, 0, 0, True],
        "heartbeats with a wrong mark": [8, raw_session.worker, raw_session.mark, *beat],
        "heartbeats of nobody who lives": [8, raw_session.number, raw_session.mark, *beat],
    }

    for frame in NOISE:
        outlet.send(frame)
    for frame in LARGE:
        connected(directory.control(SUPERVISOR)).send(frame)
    for fields in odd.values():
        outlet.send(b"\x01" + msgspec.msgpack.encode(fields))

    async def all_counted():
        dropped = (await client.stats()).dropped_by_supervisor
        return sum(dropped.values()) == sum(before.values()) + len(NOISE) + len(LARGE) + len(odd)

    await eventually(all_counted)
    dropped = (await client.stats()).dropped_by_supervisor
    assert dropped[FRAMES] == before.get(FRAMES, 0) + len(NOISE) + len(LARGE)
    assert (await client.health()).workers[0].agents < 1_000_000
    await goes_on()


@pytest.mark.parametrize("inlet", ["data", "control"])
async def test_garbage_to_a_session(directory, client, connected, goes_on, inlet):
    """Every frame of noise on a client's inlets is counted in its book, and the client goes on."""
    number = client._open().number
    outlet = connected(getattr(directory, inlet)(number))

    for frame in NOISE:
        outlet.send(frame)
    for frame in LARGE:
        connected(getattr(directory, inlet)(number)).send(frame)

    async def all_counted():
        return books.read(directory.book(number)).counters["garbage"] == len(NOISE) + len(LARGE)

    await eventually(all_counted)
    await goes_on()


async def test_answers_in_a_session_that_nobody_sent(directory, client, connected, raw_session, goes_on):
    """Frames to a client under another session's mark are garbage: nobody answers a client but the runtime."""
    number = client._open().number
    data, control = connected(directory.data(number)), connected(directory.control(number))
    forged = [raw_session.worker, raw_session.mark, number]

    data.send(b"\x01" + msgspec.msgpack.encode([*forged, 0, 1, False, [raw_session.message(number)]]))
    control.send(b"\x01" + msgspec.msgpack.encode([5, 0, raw_session.mark, 1 << 62, [1, [0] * 1024], [0], ["failed"]]))
    control.send(b"\x01" + msgspec.msgpack.encode([1, *forged, 1 << 62, 0, 0, 0, 0, [], [], 0, 0]))

    async def all_counted():
        return books.read(directory.book(number)).counters["garbage"] == 3

    await eventually(all_counted)
    await goes_on()


@pytest.fixture
async def endpoints(directory, client, worker):
    """Where the living listen: the supervisor, the worker, the client."""
    inlets = [endpoint(peer) for peer in (SUPERVISOR, worker) for endpoint in (directory.data, directory.control)]
    session = client._runtime.session.number
    del inlets[0]  # the supervisor takes no data
    return [directory.calls, *inlets, directory.data(session), directory.control(session)]


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\xff\0\0\0\0\0\0\0\1\x7f\3", b"", bytes(100_000)])
async def test_bytes_that_are_no_zeromq(endpoints, goes_on, said):
    """Bytes on the unix sockets that are not even ZeroMQ's protocol end their connection, and nothing else."""
    with ExitStack() as open_ones:
        for endpoint in endpoints * 5:
            speaker = open_ones.enter_context(socket.socket(socket.AF_UNIX))
            speaker.settimeout(5)
            speaker.connect(endpoint.removeprefix("ipc://"))
            with suppress(BrokenPipeError, ConnectionResetError):  # it had heard enough
                speaker.sendall(said)
        await goes_on()


@pytest.mark.parametrize("kind", [zmq.SUB, zmq.REQ, zmq.PAIR, zmq.ROUTER])
async def test_sockets_of_the_wrong_kind(endpoints, connected, goes_on, kind):
    """Sockets that cannot talk to ours find no way in."""
    for endpoint in endpoints:
        connected(endpoint, kind)

    await goes_on()


async def test_a_flood_of_garbage_lets_others_through(directory, worker, connected, client, agent, shard_counter):
    """While 20,000 frames of noise come in, a client's requests are answered, and every frame is counted."""
    echo = await agent("echo")
    before = await shard_counter("garbage")
    outlet = connected(directory.data(worker))

    for n in range(20_000):
        outlet.send(b"\x01\xc1 noise")
        if n % 1_000 == 0:
            assert (await client.request(echo, b"through")).content == b"through"

    async def all_counted():
        return await shard_counter("garbage") == before + 20_000

    await eventually(all_counted)
