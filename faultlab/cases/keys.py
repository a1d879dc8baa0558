"""What senders choose: idempotency keys, any bytes and integers; and a wall clock that jumps."""

import asyncio

from caxton.client.client import Client
from caxton.errors import CaxtonError
from faultlab.cases.kills import close, let_pass, start_again
from faultlab.lab import Lab
from faultlab.row import Row, Show
from faultlab.serial import Serial

_AT_ONCE = 50
_WRITERS = 4_000
_HOUR_MS = 3_600_000
_ARRIVAL_TIMEOUT_S = 30.0


def same_key(runs: int, show: Show) -> Row:
    """Send the same idempotency key many times at once, and again after a restart: it is delivered once."""
    row = Row("15", "the same idempotency key 50 times at once, and after a restart", runs)
    with Lab() as lab:
        for run in range(runs):
            show(run, f"key {run + 1} of {runs}")
            _one_key(lab, row, lab.places[run % lab.shards].recorder, run)
    return row


def clock_moved(runs: int, show: Show) -> Row:
    """Move the wall clock of the workers by an hour, either way: nothing expires early, and everything arrives."""
    row = Row("16", "the wall clock jumps by an hour", runs)
    with Lab() as lab:
        writer = lab.start_writer()
        for run in range(runs):
            show(run, f"jump {run + 1} of {runs}")
            let_pass(writer, 5)
            lab.served.orders.set_clock(_HOUR_MS if run % 2 else -_HOUR_MS)
            let_pass(writer, 5)
        close(lab, row, writer)
        row.claim(not row.notes["dead letters"], f"{row.notes['dead letters']} messages expired")
    return row


def _one_key(lab: Lab, row: Row, receiver: str, run: int) -> None:
    writer, key = _WRITERS + run, f"key {run}"
    content = Serial(writer, 0).encode()
    accepted = lab.ask(_send_all, receiver, [content] * _AT_ONCE, key)
    lab.served.kill_all()
    start_again(lab, row)
    accepted += lab.ask(_send_all, receiver, [content], key)
    lab.until(lambda: _recorded(lab, writer), "one of them is recorded", _ARRIVAL_TIMEOUT_S)
    lab.until(lambda: not lab.ledger().whole.pending, "nothing is pending", _ARRIVAL_TIMEOUT_S)
    delivered = _recorded(lab, writer)
    row.acknowledged += accepted
    row.double += max(0, delivered - 1)
    row.claim(delivered == 1, f"{delivered} messages of one key were delivered")
    row.claim(accepted == _AT_ONCE + 1, f"{accepted} of {_AT_ONCE + 1} sends were acknowledged")


async def _send_all(client: Client, receiver: str, contents: list[bytes], key: str) -> int:
    sends = [client.send(receiver, content, idempotency_key=key) for content in contents]
    results = await asyncio.gather(*sends, return_exceptions=True)
    odd = [result for result in results if isinstance(result, BaseException) and not isinstance(result, CaxtonError)]
    if odd:
        raise odd[0]
    return sum(not isinstance(result, BaseException) for result in results)


def _recorded(lab: Lab, writer: int) -> int:
    lab.collect()
    return len({each.message_id for each in lab.recorded if each.serial.writer == writer})
