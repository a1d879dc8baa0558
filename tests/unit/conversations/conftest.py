"""Conversations without a runtime: records and messages that the test makes."""

import pytest

from caxton.acl.envelope import Envelope, Opening
from caxton.conversations.record import Record

CONVERSATION = bytes(range(16))


@pytest.fixture
def make_record():
    """A function that makes a record: who opened it, how many messages it remembers, its limits."""

    def make(initiator=5, history=4, *, conversation=CONVERSATION, opened_ms=1_000, timeout_s=1_800, **limits):
        return Record(conversation, initiator, opened_ms, timeout_s, Opening(**limits), history)

    return make


@pytest.fixture
def said():
    """A function that makes a message with a number for its id."""

    def make(number, sender=5, receiver=6, content=b"x", **fields):
        fields = {"conversation_id": CONVERSATION, "created_at": number} | fields
        return Envelope(number.to_bytes(16, "big"), 7, sender, receiver, content, **fields)

    return make
