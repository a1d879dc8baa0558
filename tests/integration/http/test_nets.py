"""Contract nets by HTTP: what one of them, and what all of a token's may come to."""

import asyncio
from pathlib import Path

import caxton
from caxton.gateway.limits import MAX_OWN_BIDS_BYTES, MAX_TASK_COPIES_BYTES

ECHO = Path(caxton.__file__).parent / "guests" / "echo.wasm"
BIDDERS, LARGE_BID = 8, 9_000_000


def net(client, size, to):
    """Have agents that there are not bid for a task of so many bytes."""
    return client.post("/v1/protocols/contract-net", json={"task": "x" * size, "to": to, "deadline_s": 1})


class Talker:
    """Bids at great length."""

    async def on_cfp(self, message):
        return message.reply(b"x" * LARGE_BID, performative="propose")

    async def on_accept_proposal(self, message):
        return b"done"

    async def on_reject_proposal(self, message):
        pass


def test_a_task_is_so_long_for_so_many_bidders_and_no_longer(asking):
    """Each bidder gets a copy, and the error says how long it may be for so many."""
    nobody, most = [f"nobody-{number}" for number in range(BIDDERS)], MAX_TASK_COPIES_BYTES // BIDDERS
    refused = net(asking("sender"), most + 1, nobody)
    assert refused.status_code == 413
    assert refused.json()["fields"] == {"field": "task", "problem": "too large", "size": most + 1, "limit": most}
    taken = net(asking("sender"), most, nobody)
    assert (taken.status_code, taken.json()["outcome"]) == (200, "no_proposals")


def test_a_task_for_a_capability_has_a_copy_for_each_who_has_it(asking, served):
    """As many as are healthy now."""
    with caxton.connect_sync(served.runtime_dir) as client:
        can = [caxton.Deployment(f"bids-{number}", ECHO, capabilities=["bid"]) for number in range(BIDDERS)]
        bidders, most = client.deploy_many(can), MAX_TASK_COPIES_BYTES // BIDDERS
        refused = net(asking("sender"), most + 1, {"capability": ["bid"]})
        assert (refused.status_code, refused.json()["fields"]["limit"]) == (413, most)
        client.advertise(bidders[0], health="unhealthy")
        taken = net(asking("sender"), most + 1, {"capability": ["bid"]})
        assert (taken.status_code, taken.json()["outcome"]) == (200, "no_proposals")
        client.remove_many(bidders)


async def test_what_bidders_answer_has_room_for_so_much(asking, served):
    """However large each of them may be: what comes beyond it is turned away, and told in the place of the answer."""
    names = [f"talks-{number}" for number in range(BIDDERS)]
    bidders = [caxton.agent(name)(Talker()) for name in names]
    async with caxton.connect(served.runtime_dir) as client, client.host(*bidders):
        tender = {"task": "", "to": names, "deadline_s": 25, "choose": "first"}
        answer = await asyncio.to_thread(asking("sender").post, "/v1/protocols/contract-net", json=tender)
    told = answer.json()
    fits = MAX_OWN_BIDS_BYTES // LARGE_BID
    assert (answer.status_code, told["outcome"]) == (200, "awarded")
    assert 0 < len(told["proposals"]) == fits < BIDDERS
    problems = [refusal["problem"] for refusal in told["refusals"]]
    assert [problem["code"] for problem in problems] == ["ResourceExhausted"] * (BIDDERS - fits)
    assert problems[0]["fields"]["limit"] == MAX_OWN_BIDS_BYTES
