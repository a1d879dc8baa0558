"""The stages of a message's way, and which of them each module of Caxton belongs to."""

from collections.abc import Iterable

from bench.sampling.stacks import Frame

EVENT_LOOP, OTHER = "event loop", "other"

# What a stage is, in the order of the way: through a worker, and through a client.
STAGES = {
    "load": "the bench itself: it makes the batches and looks at their answers",
    "stamp": "requests get their ids and times, and a place where their answers are waited for",
    "route": "which shard, and whether there is credit and room",
    "pack": "frames are made and sent: by a client, and by a worker's `release`",
    "receive": "frames are received, decoded and checked",
    "place": "is the receiver here, does it take messages, is there room",
    "dispatch": "whose turn is it",
    "turn": "one agent handles one message, beside the sandbox itself",
    "sandbox": "bytes into the guest, the call, bytes out",
    "effects": "what follows from a turn, and where that goes",
    "batching": "what the turns cause on the durable lane, until one commit takes it",
    "commit": "the transaction",
    "answer": "replies find the requests that wait, and their callers",
    "links": "states of links: acknowledgements, credit, refusals",
    "pass": "the loop of a worker, around all that",
    "bookkeeping": "books, counts, heartbeats, what is due every 200 ms",
    "control": "deployments, calls, agents that come and go",
    EVENT_LOOP: "between callbacks: waiting for descriptors, tasks, timers",
    OTHER: "what no module of Caxton has called, or one that is not known here",
}

# A folder ends with `/`. What is nearer to the file wins.
_STAGE_OF = {
    "bench/": "load",
    "bench/questions/": EVENT_LOOP,  # below them there is nothing but the loop, when nothing above them runs
    "bench/__main__.py": EVENT_LOOP,
    # clients
    "caxton/client/": "control",
    "caxton/sync/": "control",
    "caxton/remote/": "control",
    "caxton/manifests/": "control",
    "caxton/client/calls/message_calls.py": "stamp",
    "caxton/client/calls/stamps.py": "stamp",
    "caxton/client/routes/batches.py": "answer",
    "caxton/client/routes/answers.py": "answer",
    "caxton/client/routes/inbox.py": "answer",
    "caxton/client/routes/unread.py": "answer",
    "caxton/client/routes/receipts.py": "answer",
    "caxton/client/session/session.py": "route",
    "caxton/client/routes/backlog.py": "route",
    "caxton/client/routes/shard_route.py": "route",
    "caxton/client/routes/volatile_route.py": "route",
    "caxton/client/routes/durable_route.py": "route",
    "caxton/client/routes/outlets.py": "pack",
    "caxton/client/session/inlets.py": "receive",
    "caxton/client/session/session_book.py": "bookkeeping",
    # floors of Caxton that have a stage of their own wherever they are used
    "caxton/links/": "links",
    "caxton/store/": "commit",
    "caxton/store/books.py": "bookkeeping",
    "caxton/store/book_layout.py": "bookkeeping",
    "aiosqlite/": "commit",  # its thread, between two of our functions
    # workers
    "workers/sandbox/": "sandbox",
    "workers/__main__.py": EVENT_LOOP,
    "workers/main.py": EVENT_LOOP,
    "workers/composition.py": EVENT_LOOP,
    "workers/loop/worker.py": "pass",
    "workers/loop/passes.py": "pass",
    "workers/loop/lone_turns.py": "pass",
    "workers/loop/link_news.py": "links",
    "workers/worker_pass.py": "pass",
    "workers/loop/shard.py": "bookkeeping",
    "workers/loop/condition.py": "bookkeeping",
    "workers/loop/levels.py": "bookkeeping",
    "workers/loop/module_uses.py": "bookkeeping",
    "workers/loop/maintenance.py": "bookkeeping",
    "workers/intake/message_inlet.py": "receive",
    "workers/intake/pace.py": "receive",
    "caxton/protocols/": "place",
    "workers/volatile/placing.py": "place",
    "workers/durable/placing.py": "place",
    "workers/durable/disk.py": "place",
    "workers/agents/absences.py": "place",
    "workers/agents/disk_line.py": "place",
    "workers/agents/delivery.py": "place",
    "workers/agents/offers.py": "place",
    "workers/agents/registry.py": "place",
    "workers/agents/registered_bytes.py": "place",
    "workers/agents/mailbox.py": "place",
    "workers/agents/window.py": "place",
    "workers/agents/states.py": "turn",
    "workers/durable/idempotency_keys.py": "place",
    "workers/queues/claims.py": "place",
    "workers/queues/deadlocks.py": "place",
    "workers/queues/pressure.py": "place",
    "workers/durable/suspects.py": "place",
    "workers/queues/dispatcher.py": "dispatch",
    "workers/queues/admission.py": "dispatch",
    "workers/queues/accounts.py": "dispatch",
    "workers/queues/backlogs.py": "dispatch",
    "workers/queues/bounds.py": "dispatch",
    "workers/queues/far_shards.py": "dispatch",
    "workers/queues/shares.py": "dispatch",
    "workers/queues/turn_time.py": "dispatch",
    "workers/queues/lines.py": "dispatch",
    "workers/queues/timed_turn.py": "dispatch",
    "workers/agents/long_turns.py": "dispatch",
    "workers/conversations/": "place",
    "caxton/conversations/": "place",
    "workers/loop/conversation_calls.py": "control",
    "workers/operations/attached.py": "dispatch",
    "workers/operations/attachment.py": "dispatch",
    "workers/operations/giving.py": "dispatch",
    "workers/operations/questions.py": "dispatch",
    "workers/agents/deal.py": "dispatch",
    "workers/agents/group.py": "dispatch",
    "workers/turns/turn.py": "turn",
    "workers/crash_note.py": "turn",
    "workers/turns/guest_log.py": "turn",
    "workers/turns/traced.py": "turn",
    "workers/loop/span_calls.py": "control",
    "workers/loop/record_calls.py": "control",
    "workers/watching/": "turn",
    "workers/loop/log_calls.py": "control",
    "workers/loop/watch_calls.py": "control",
    "workers/loop/backup_calls.py": "control",
    "workers/loop/busy_calls.py": "control",
    "workers/loop/call_graph_calls.py": "control",
    "workers/sandbox/guest_messages.py": "turn",
    "workers/turns/routes.py": "effects",
    "workers/turns/words.py": "effects",
    "workers/durable/routes.py": "effects",
    "workers/durable/attempts.py": "effects",
    "workers/durable/retries.py": "effects",
    "workers/durable/redirects.py": "effects",
    "workers/durable/advertising.py": "effects",
    "workers/capabilities/": "effects",
    "caxton/capabilities/": "effects",
    "workers/durable/dead_letters.py": "effects",
    "workers/durable/gathered.py": "effects",
    "workers/commit/journal.py": "batching",
    "workers/commit/roots.py": "batching",
    "workers/commit/committer.py": "commit",
    "workers/durable/lane.py": "commit",
    "workers/durable/paging.py": "commit",
    "workers/volatile/release.py": "pack",
    "workers/commit/outbox.py": "pack",
    "workers/commit/outboxes.py": "pack",
    "workers/peers/": "pack",
    "workers/intake/control_inlet.py": "links",
    "workers/intake/guard.py": "receive",
    "workers/commit/greetings.py": "links",
    "workers/loop/calls.py": "control",
    "workers/loop/dead_letter_calls.py": "control",
    "workers/loop/kept_calls.py": "control",
    "workers/loop/capability_calls.py": "control",
    "workers/loop/views.py": "control",
    "workers/loop/call_line.py": "control",
    "workers/operations/draining.py": "control",
    "workers/operations/lifecycle.py": "control",
    "workers/durable/recovery.py": "control",
    "workers/compiler.py": "control",
    "workers/parent.py": "control",
}

# Functions that belong to another stage than their module does, with what is defined in them.
_STAGE_OF_FUNCTION = {
    ("caxton/client/session/session.py", "Session.pump"): "pack",
    ("caxton/client/session/session.py", "Session._take_data"): "receive",
    ("caxton/client/session/session.py", "Session._take_volatile"): "receive",
    ("caxton/client/session/session.py", "Session._take_control"): "links",
    ("caxton/client/session/session.py", "Session._tick"): "bookkeeping",
    ("caxton/client/routes/backlog.py", "Backlog.settle"): "links",
    ("caxton/client/routes/volatile_route.py", "VolatileRoute.pack"): "pack",
    ("caxton/client/routes/volatile_route.py", "VolatileRoute.take"): "receive",
    ("caxton/client/routes/volatile_route.py", "VolatileRoute.heard_state"): "links",
    ("caxton/client/routes/volatile_route.py", "VolatileRoute.send_state"): "links",
    ("caxton/client/routes/durable_route.py", "DurableRoute.send"): "pack",
    ("caxton/client/routes/durable_route.py", "DurableRoute._pack"): "pack",
    ("caxton/client/routes/durable_route.py", "DurableRoute.take"): "receive",
    ("caxton/client/routes/durable_route.py", "DurableRoute.heard_state"): "links",
    ("caxton/client/routes/durable_route.py", "DurableRoute.send_state"): "links",
    ("workers/peers/peer.py", "Peer.state"): "links",
    ("workers/peers/peer.py", "Peer.send_state"): "links",
    ("workers/peers/peer.py", "Peer.send_durable_state"): "links",
    ("workers/loop/worker.py", "Worker.heard_state"): "links",
    ("workers/loop/worker.py", "Worker.heard_hello"): "links",
    ("workers/loop/worker.py", "Worker.beat"): "bookkeeping",
    ("workers/loop/worker.py", "Worker._tick"): "bookkeeping",
}

# Floors that everybody stands on: their time is that of whoever calls them, as is that of other packages.
_OF_THEIR_CALLERS = (
    "caxton/acl/",
    "caxton/agents/",
    "caxton/config/",
    "caxton/delivery/",
    "caxton/errors/",
    "caxton/ids.py",
    "caxton/directories.py",
    "caxton/lines.py",
    "caxton/records.py",
    "caxton/ring.py",
    "caxton/threads.py",
    "caxton/placement/",
    "caxton/printable.py",
    "caxton/transport/",
    "caxton/wire/",
)
# Only around everything else, never in the way of a message: a client's process begins here, or in its shell.
_AROUND = ("caxton/__init__.py", "caxton/cli/", "caxton/doctor/", "caxton/pytest_plugin.py", "caxton/testing.py")


def stage_of(frames: Iterable[Frame]) -> str:
    """Return the stage of a stack, from its frames, the outermost first: that of the innermost which has one."""
    for frame in reversed(tuple(frames)):
        if (stage := _of_frame(frame)) is not None:
            return stage
    return OTHER


def knows(path: str) -> bool:
    """Return whether a file of Caxton, named from its package on, has a stage, or is known to have none."""
    return _of_file(path) is not None or path.startswith((*_OF_THEIR_CALLERS, *_AROUND))


def paths() -> list[str]:
    """Return all files and folders that the table names, from their package on."""
    return [*_STAGE_OF, *_OF_THEIR_CALLERS, *_AROUND]


def named() -> set[str]:
    """Return all stages that something belongs to."""
    return {*_STAGE_OF.values(), *_STAGE_OF_FUNCTION.values()}


def functions() -> list[tuple[str, str]]:
    """Return (file, function) of all functions that belong to another stage than their file."""
    return list(_STAGE_OF_FUNCTION)


def _of_frame(frame: Frame) -> str | None:
    function = frame.function.partition(".<locals>")[0]
    return _STAGE_OF_FUNCTION.get((frame.file, function)) or _of_file(frame.file)


def _of_file(path: str) -> str | None:
    while path and path not in _STAGE_OF:
        path = path.rstrip("/")
        path = path[: path.rfind("/") + 1]
    return _STAGE_OF.get(path)
