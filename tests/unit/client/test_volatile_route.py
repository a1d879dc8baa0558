import asyncio

import pytest

from caxton.acl.envelope import Envelope
from caxton.client.routes.batches import Batch
from caxton.client.routes.outlets import Outlets
from caxton.client.routes.volatile_route import VolatileRoute
from caxton.wire.codec import CONTROL
from caxton.wire.link_state import MAX_REFUSALS, LinkState, Refusal

SESSION, MARK, WORKER = 1 << 63, bytes(16), 1


@pytest.mark.parametrize(("refused", "said"), [(MAX_REFUSALS, [MAX_REFUSALS]), (MAX_REFUSALS - 1, [])])
async def test_a_full_page_of_refusals_is_confirmed_at_once(make_wire, refused, said):
    """Of a full page the worker hears at once that it was seen, and tells the next one; of others a tick is enough."""
    route, control = VolatileRoute(0, SESSION, MARK), make_wire()
    route.change(Outlets(WORKER, make_wire(), control))
    batch = Batch(refused, "send", 60.0, asyncio.get_running_loop())
    route.submit([(Envelope(bytes(16), 7, SESSION, 1 + n, b"x"), batch, n, True) for n in range(refused)])
    route.heard_state(_state(1, 0, []))
    route.pack()
    route.heard_state(_state(2, refused, [Refusal(n + 1, 1, "AgentNotFound", {}) for n in range(refused)]))

    assert [CONTROL.decode(frame).refusals_seen for frame in control.frames] == said
    assert batch.left == 0


def _state(number, taken, refusals):
    return LinkState(WORKER, MARK, SESSION, 0, number, "", taken, 10_000, 1 << 40, 0, refusals, [], 0, 0)
