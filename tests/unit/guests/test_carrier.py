"""The carrier agent, against the same tariff in Python."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.demo.freight import Tariff
from workers.sandbox.traps import GuestError, Trap

WHOLE = st.integers(0, 2**32 - 1)
TARIFF = Tariff(500, 12, 3, 1_000, 2_000)
ASKED = b"r" * 16


def turn(carrier, performative, content=b"", **fields):
    """Give it a message; returns its answer and its new state."""
    message = {"performative": performative, "sender": 7, "receiver": 8, "content": content, "message_id": bytes(16)}
    output = carrier.handle(msgspec.msgpack.encode(message | {"reply_with": ASKED} | fields))
    found = {} if output is None else msgspec.msgpack.decode(output)
    (answer,) = found.get("messages", [None])
    return answer, found.get("state")


def told(carrier):
    return msgspec.json.decode(turn(carrier, "query-ref")[0]["content"])


@given(st.builds(Tariff, WHOLE, WHOLE, WHOLE, WHOLE, WHOLE), WHOLE, WHOLE)
def test_it_asks_what_its_tariff_says(start, tariff, km, kg):
    """Its price is that of the tariff, also beyond 32 bits, and it refuses what the tariff does not carry."""
    carrier = start("carrier")
    turn(carrier, "inform", tariff.content)
    answer, state = turn(carrier, "cfp", msgspec.json.encode({"job": 'a "km" of', "km": km, "kg": kg}))
    price = tariff.price(km, kg)
    assert state is None
    if price is None:
        assert answer == {"performative": "refuse", "content": b"not for me"}
    else:
        assert answer == {"performative": "propose", "content": b"%d" % price}


def test_what_it_was_awarded_is_its_state(start):
    """Contracts and earnings are in the state, and the next instance goes on from it; a new tariff begins anew."""
    carrier = start("carrier")
    _, state = turn(carrier, "inform", TARIFF.content)
    for price in (b"700", b"800"):
        answer, state = turn(carrier, "accept-proposal", price, protocol="fipa-contract-net")
        assert answer == {"performative": "inform", "content": price, "protocol": "fipa-contract-net"}
    successor = start("carrier", state=state)
    assert told(successor) == {"contracts": 2, "earned": 1_500}
    turn(successor, "inform", TARIFF.content)
    assert told(successor) == {"contracts": 0, "earned": 0}


def test_without_a_tariff_it_does_nothing(start):
    """A carrier that was told no tariff refuses, and carries nothing; one that cannot be read changes nothing."""
    carrier = start("carrier")
    assert turn(carrier, "cfp", b'{"km": 1, "kg": 1}')[0]["performative"] == "refuse"
    assert turn(carrier, "accept-proposal", b"7")[0]["performative"] == "failure"
    turn(carrier, "inform", TARIFF.content)
    with pytest.raises(GuestError):
        turn(carrier, "inform", b'{"base": 1}')
    assert turn(carrier, "cfp", b'{"km": 1, "kg": 1}')[0]["content"] == b"515"


NO_JOBS = [b"", b"{}", b'{"km": 1}', b'{"km": -1, "kg": 1}', b'{"km": 4294967296, "kg": 1}', b'"km"']


@pytest.mark.parametrize("content", NO_JOBS)
def test_a_job_that_cannot_be_read_is_refused(start, content):
    """What is no job is refused like one that is too far."""
    carrier = start("carrier")
    turn(carrier, "inform", TARIFF.content)
    assert turn(carrier, "cfp", content)[0]["performative"] == "refuse"


def test_every_other_act_is_not_understood(start):
    """An act that it does not know is answered as such; rejections and failures are passed over."""
    carrier = start("carrier")
    assert turn(carrier, "subscribe")[0]["performative"] == "not-understood"
    for act in ("reject-proposal", "failure", "not-understood"):
        assert turn(carrier, act) == (None, None)


@pytest.mark.parametrize("state", [b"x", bytes(40), b"\x02" + bytes(39)])
def test_a_state_that_is_not_its_own(start, state):
    """It does not start from a state that it did not write."""
    with pytest.raises(Trap, match="caxton_init answered 1"):
        start("carrier", state=state).handle(b"")


@given(st.binary(max_size=200))
def test_what_is_no_message_is_an_error(start, content):
    """Whatever bytes come, it ends with an output or an error code of its own, and never traps."""
    carrier = start("carrier")
    try:
        carrier.handle(content)
    except GuestError as error:
        assert error.args  # noqa: PT017 (either end will do)
