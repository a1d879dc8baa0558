import asyncio

import pytest

from caxton.client.session.pending_calls import MAX_CALLS, PendingCalls
from caxton.errors import ResourceExhausted


async def test_calls_under_way_are_bounded():
    """As many calls as a session has may be open; one more is refused until another ends."""
    calls = PendingCalls(asyncio.get_running_loop())
    numbers = [calls.open(1)[0] for _ in range(MAX_CALLS)]
    with pytest.raises(ResourceExhausted):
        calls.open(1)
    calls.close(numbers[0])

    assert calls.open(1)[0] == MAX_CALLS + 1
