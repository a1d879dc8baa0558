"""States as a peer might tell them."""

import pytest

from caxton.wire.link_state import LinkState


@pytest.fixture
def state():
    """A function that makes a LinkState from what matters in a test; the rest says nothing."""

    def make(number, **fields):
        quiet = {
            "lane": 0,
            "closed": "",
            "taken": 0,
            "credit_messages": 0,
            "credit_bytes": 0,
            "refusals_from": 0,
            "refusals": [],
            "full": [],
            "emitted": 0,
            "refusals_seen": 0,
        }
        return LinkState(source=2, mark=bytes(16), target=1, number=number, **(quiet | fields))

    return make
