"""Sessions that act for others, in a runtime that lets gateways do so."""

import pytest

from caxton.client.client import Client
from caxton.errors import IdempotencyKeyReused, SecurityError

WORKERS = 2
OPTIONS = ("--gateway-principals",)


async def test_principals_have_keys_of_their_own(served, client, agent):
    """The same key of two principals and the owner is three messages; one's own is met again in another session."""
    counter = await agent("mischief")

    async def send(principal, content=b""):
        async with Client(served.runtime_dir, principal=principal) as gateway:
            return (await gateway.send(counter, content, idempotency_key="k")).is_new

    assert [await send(principal) for principal in ("", "alice", "bob", "alice")] == [True, True, True, False]
    with pytest.raises(IdempotencyKeyReused):
        await send("alice", b"other")
    for shard in range(WORKERS):
        await served.kill_worker(shard)
    assert [await send(principal) for principal in ("alice", "bob", "", "carol")] == [False, False, False, True]
    assert (await client.inspect(counter)).counters["run"] >= 1
    assert (await client.ledger()).balanced


async def test_a_session_goes_on_when_its_workers_are_others(served, agent):
    """A worker that never saw a gateway's session knows from the mark for whom it acts."""
    echo = await agent("echo")
    async with Client(served.runtime_dir, principal="alice") as gateway:
        assert (await gateway.request(echo, b"x")).content == b"x"
        for shard in range(WORKERS):
            await served.kill_worker(shard)
        assert (await gateway.request(echo, b"y", idempotency_key="again", timeout_s=60)).content == b"y"


@pytest.mark.parametrize("principal", ["uid:1234567", "uid:"])
async def test_users_of_the_machine_are_nobody_s_to_claim(served, principal):
    """The names of users are refused, whatever gateways may do."""
    with pytest.raises(SecurityError, match="cannot act for"):
        async with Client(served.runtime_dir, principal=principal):
            pass


async def test_who_acts_for_others_has_nothing_to_do_with_tokens(served):
    """They are for the runtime's owner to make, to see and to revoke."""
    async with Client(served.runtime_dir) as owner:
        made = await owner.create_token("ci", "viewer")
    async with Client(served.runtime_dir, principal="alice") as gateway:
        for call in (
            gateway.create_token("ci", "admin"),
            gateway.tokens(),
            gateway.revoke_token(made.about.token_id),
        ):
            with pytest.raises(SecurityError, match="runtime's owner"):
                await call
