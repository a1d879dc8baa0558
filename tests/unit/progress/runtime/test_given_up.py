"""A client whose callers give up while an agent has no room."""

import pytest

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions

# Of requests that nobody answers meanwhile.
PATIENT_S = 1_000.0
BURST = 1_000


@pytest.mark.parametrize("reliability", ["at_most_once", "at_least_once"])
def test_who_still_waits_is_answered_when_all_before_gave_up(make_runtime, encodings, reliability):
    """However many gave up in front of a request while its agent was paused, it is answered when the agent goes on."""
    runtime = make_runtime(lambda _agent, given: given)
    small, client = runtime.deploy("small", encodings.content, 4), runtime.connect()
    runtime.settle()
    runtime.pause_or_resume(small)
    options = DeliveryOptions(reliability=reliability, timeout_ms=300_000)
    burst = [Message(small, b"?", delivery_options=options)] * BURST
    gone = runtime.loop.create_task(client.request_many(burst, timeout_s=PATIENT_S))
    runtime.settle()
    waits = runtime.loop.create_task(client.request(small, b"!", timeout_s=PATIENT_S, options=options))
    runtime.ticks(2)
    gone.cancel()
    runtime.settle()
    runtime.pause_or_resume(small)

    assert runtime.ticks(10, waits.done)
    assert waits.result().content == b"!"
