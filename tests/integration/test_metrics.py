"""What Prometheus reads of a runtime in which something happened."""

import asyncio
from pathlib import Path

import pytest

import caxton.guests
from caxton.client.client import Client
from caxton.client.own_runtime import own_runtime
from caxton.telemetry.families import Parts

parser = pytest.importorskip("prometheus_client.parser", reason="the extra http is not installed")
exposition = pytest.importorskip("caxton.telemetry.exposition")

ECHO = Path(caxton.guests.__file__).parent / "echo.wasm"


async def scraped(client):
    """Ask for everything that a gateway asks for, at once, and read the text that becomes of it."""
    stats, health, ledger, letters, conversations, busiest = await asyncio.gather(
        client.stats(),
        client.health(),
        client.ledger(),
        client.dead_letter_stats(),
        client.conversation_stats(),
        client.busiest(limit=50),
    )
    text = exposition.exposition(stats, health, Parts(ledger, letters, conversations, busiest))
    found = {}
    for family in parser.text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            key = tuple(value for name, value in sorted(sample.labels.items()))
            assert (sample.name, key) not in found
            found[sample.name, key] = sample.value
    return found


async def test_what_was_done_is_in_the_metrics():
    """Turns, failures and dead letters are those that there were, and nothing is told twice."""
    with own_runtime(2) as directory:
        async with Client(directory) as client:
            agents = [await client.deploy(f"agent {number}", ECHO) for number in range(60)]
            await asyncio.gather(*(client.request(agent, b"x", timeout_s=60) for agent in agents for _ in range(2)))
            found = await scraped(client)

    assert found["caxton_messages_processed_total", ("success",)] == 120
    assert found["caxton_messages_processed_total", ("failed",)] == 0
    assert found["caxton_agents_registered", ()] == 60
    assert found["caxton_modules_total", ("compiled",)] == 1
    assert found["caxton_compile_seconds_total", ()] > 0
    assert found["caxton_message_routing_duration_seconds_count", ()] >= 1
    assert (
        found["caxton_message_routing_duration_seconds_bucket", ("+Inf",)]
        == (found["caxton_message_routing_duration_seconds_count", ()])
    )
    assert found["caxton_health_status", ("healthy",)] + found["caxton_health_status", ("degraded",)] == 1
    assert found["caxton_ledger_balanced", ()] == 1
    assert found["caxton_worker_state", ("0", "ready")] == found["caxton_worker_state", ("1", "ready")] == 1
    assert {value for (name, _), value in found.items() if name == "caxton_scrape_parts"} == {1}
    named = [key for name, key in found if name == "caxton_agent_turns_per_second"]
    assert len(named) == 51
    assert sum(value for (name, key), value in found.items() if name == "caxton_shard_agents") == 60
