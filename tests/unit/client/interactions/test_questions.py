"""Questions in a protocol: an agree says that the answer follows."""

import asyncio

import pytest

from caxton.acl.envelope import Envelope, Rare
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.client.interactions.questions import Answering, check_opening, is_agreeing
from caxton.client.routes.answers import Answers
from caxton.errors import NetworkError, Timeout, UnknownProtocol, ValidationError

SESSION, AGENT = 1 << 63, 7
ASKED, PLAIN = b"a" * 16, b"b" * 16


def request(token, protocol=None):
    rare = Rare(protocol=protocol) if protocol else None
    return Envelope(token, int(Performative.REQUEST), SESSION, AGENT, b"", token, rare=rare)


def answer(token, performative, number=1):
    return Envelope(bytes([number]) * 16, int(performative), AGENT, SESSION, performative.act.encode(), None, token)


@pytest.fixture
async def asked():
    """Two requests that wait, one of them in a protocol; returns where answers come in, and the batch."""
    answers = Answers()
    batch = Answering(2, "request", 60, asyncio.get_running_loop())
    entries = [(request(ASKED, "fipa-request"), batch, 0, False), (request(PLAIN), batch, 1, False)]
    for entry in entries:
        answers.waiting[entry[0].message_id] = entry
    batch.wait = lambda entry: answers.waiting.__setitem__(entry[0].message_id, entry)
    batch.entries = {entry[2]: entry for entry in entries if is_agreeing(entry[0])}
    yield answers, batch
    batch.cancel()


async def test_an_agree_does_not_end_a_request_in_a_protocol(asked):
    """What follows the agree is the answer, also when both come at once; without a protocol the agree is one."""
    answers, batch = asked
    answers.take([answer(ASKED, Performative.AGREE), answer(PLAIN, Performative.AGREE)])
    assert [batch.results[0], batch.results[1].performative] == [None, Performative.AGREE]
    answers.take([answer(ASKED, Performative.AGREE), answer(ASKED, Performative.INFORM)])
    assert (batch.results[0].content, batch.done.done(), answers.waiting) == (b"inform", True, {})


@pytest.mark.parametrize("act", [Performative.REFUSE, Performative.FAILURE, Performative.NOT_UNDERSTOOD])
async def test_all_else_is_the_answer(asked, act):
    """Who refuses, fails or does not understand has answered."""
    answers, batch = asked
    answers.take([answer(ASKED, act)])
    assert batch.results[0].performative is act


async def test_who_agreed_and_is_gone_is_told(asked):
    """The end of the agent's worker ends a request that was agreed to, as it ends any."""
    answers, batch = asked
    answers.take([answer(ASKED, Performative.AGREE)])
    answers.fail_volatile(lambda agent: agent == AGENT, NetworkError("worker", "it ended"))
    assert isinstance(batch.results[0], NetworkError)


async def test_the_deadline_stays_where_it_was():
    """An agree gives no more time, and one that comes after the end changes nothing."""
    loop = asyncio.get_running_loop()
    batch = Answering(1, "request", 0, loop)
    waits = []
    batch.wait = waits.append
    batch.entries = {0: (request(ASKED, "fipa-query"), batch, 0, False)}
    agree = Message.of(answer(ASKED, Performative.AGREE))
    batch.end(0, agree)
    await batch.done
    assert isinstance(batch.results[0], Timeout)
    batch.end(0, agree)
    assert len(waits) == 1


def test_what_begins_a_protocol():
    """FIPA's protocols begin as they do, names that are none are refused, and users' own are not looked at."""
    check_opening("fipa-query", Performative.QUERY_IF)
    check_opening("my own", Performative.AGREE)
    with pytest.raises(ValidationError, match="fipa-query begins with query-if or query-ref, and not with request"):
        check_opening("fipa-query", Performative.REQUEST)
    with pytest.raises(UnknownProtocol, match="fipa-request"):
        check_opening("fipa-requests", Performative.REQUEST)
