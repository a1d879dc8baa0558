"""What the runtime is told, by HTTP: each setting with where it comes from; and what of it changes while it serves."""

import asyncio
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import wasmtime

import caxton
import caxton.testing

CAXTON = [sys.executable, "-P", "-m", "caxton"]
LEVEL, LIMIT = "runtime.log_level", "runtime.worker_memory_limit_mib"
GUESTS = Path(__file__).parents[2] / "guests"
MODULES = "runtime.log_levels"
DEBUG = 0


@pytest.fixture
def spelled_out():
    """An agent that logs at the level that it is told, by its offset and its length."""
    return bytes(wasmtime.wat2wasm((GUESTS / "log_at.wat").read_text()))


def by_key(answer):
    assert answer.status_code == 200, answer.text
    return {one["key"]: one for one in answer.json()["settings"]}


def test_every_setting_is_told_with_where_it_comes_from(served, admin):
    """As `caxton config show --effective` does, and of the runtime that serves."""
    found = by_key(admin.get("/v1/config"))
    command = [*CAXTON, "config", "show", "--effective", "-o", "json"]
    shown = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60, env=os.environ).stdout)

    assert found.keys() == {row["key"] for row in shown}
    assert (found["gateway.http"]["source"], found["gateway.http"]["place"]) == ("flag", "--http")
    assert found["runtime.data_dir"]["value"] == str(served.data_dir)
    assert (found["router.max_retries"]["source"], found["router.max_retries"]["changeable"]) == ("default", False)
    assert {key for key, one in found.items() if one["changeable"]} == {LEVEL, MODULES, LIMIT}


def test_what_is_safe_is_changed_at_once(admin):
    """And told as changed; what nobody sets comes back with null."""
    changed = by_key(admin.patch("/v1/config", json={"settings": {LEVEL: "debug", LIMIT: 4_096}}))
    again = by_key(admin.get("/v1/config"))
    back = by_key(admin.patch("/v1/config", json={"settings": {LEVEL: None, LIMIT: None}}))

    assert changed == again
    assert [(changed[key]["value"], changed[key]["source"]) for key in (LEVEL, LIMIT)] == [
        ("debug", "change"),
        (4_096, "change"),
    ]
    assert (back[LEVEL]["value"], back[LIMIT]["value"]) == (None, None)


@pytest.mark.parametrize(
    ("settings", "status", "code"),
    [
        ({"gateway.http": "127.0.0.1:1"}, 409, "ConfigurationError"),
        ({LEVEL: "info", "router.max_retries": 3}, 409, "ConfigurationError"),
        ({LEVEL: "loud"}, 422, "ValidationError"),
        ({LEVEL: 1}, 422, "ValidationError"),
        ({MODULES: "guest=loud"}, 422, "ValidationError"),
        ({MODULES: 1}, 422, "ValidationError"),
        ({LIMIT: 0}, 422, "ValidationError"),
        ({LIMIT: 1.5}, 422, "ValidationError"),
        ({LIMIT: True}, 422, "ValidationError"),
        ({"nothing": 1}, 422, "ValidationError"),
        ({}, 400, "InvalidMessageFormat"),
        ({LEVEL: []}, 400, "InvalidMessageFormat"),
    ],
)
def test_what_does_not_change_is_refused_with_all_beside_it(admin, settings, status, code):
    """The problem says which do, and how the others are set."""
    before = admin.get("/v1/config").text
    answer = admin.patch("/v1/config", json={"settings": settings})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert admin.get("/v1/config").text == before


def test_who_has_seen_other_settings_changes_none(admin):
    """If-Match has the ETag of those that were seen."""
    seen = admin.get("/v1/config").headers["etag"]
    first = admin.patch("/v1/config", json={"settings": {LEVEL: "error"}}, headers={"If-Match": seen})
    second = admin.patch("/v1/config", json={"settings": {LEVEL: "info"}}, headers={"If-Match": seen})
    third = admin.patch("/v1/config", json={"settings": {LEVEL: None}}, headers={"If-Match": first.headers["etag"]})

    assert (first.status_code, second.status_code, third.status_code) == (200, 412, 200)
    assert second.json()["code"] == "PreconditionFailed"


async def test_of_those_who_have_seen_the_same_settings_one_changes_them(url, token, served):
    """Also where they ask at the same time, by HTTP or not: nobody overtakes another between a look and the change."""
    headers = {"Authorization": f"Bearer {token('admin')}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60.0) as http, served.connect() as client:
        for number in range(5):
            seen = await client.settings()
            told = {**headers, "If-Match": (await http.get("/v1/config")).headers["etag"]}
            limits = [2_000 + 10 * number + place for place in range(4)]
            patches = [http.patch("/v1/config", headers=told, json={"settings": {LIMIT: one}}) for one in limits]
            changes = [client.change_settings({LIMIT: 3_000 + number}, seen=seen)]
            done = await asyncio.gather(*patches, *changes, return_exceptions=True)
            statuses = [one.status_code for one in done[:4]]
            others = [*statuses, 412 if isinstance(done[4], caxton.errors.ConfigurationError) else 200]
            assert sorted(others) == [200, 412, 412, 412, 412]
        await client.change_settings({LIMIT: None})


@pytest.mark.parametrize(
    ("match", "status"),
    [("*", 200), ('"x", {tag}', 200), ('{tag},"x"', 200), ("W/{tag}", 412), ('"x"', 412), ("x", 412), ("", 412)],
)
def test_a_list_of_tags_is_read_as_http_has_it(admin, match, status):
    """One of them is enough; a weak one is none."""
    match = match.replace("{tag}", admin.get("/v1/config").headers["etag"])
    answer = admin.patch("/v1/config", json={"settings": {LEVEL: None}}, headers={"If-Match": match})
    assert answer.status_code == status


async def test_one_worker_is_restarted_and_no_other(served, admin, asking):
    """By HTTP, by a client and by the command line; a shard that there is not is told."""

    async def incarnations():
        return [worker.incarnation for worker in (await served.health()).workers]

    async def restarted(shard, before):
        now, health = await incarnations(), await served.health()
        is_back = health.workers[shard].state == "ready" and not health.restarting
        return is_back and now[shard] != before[shard] and now[1 - shard] == before[1 - shard]

    before = await incarnations()
    answer = asking("operator").post("/v1/workers/1/restart")
    await caxton.testing.eventually(lambda: restarted(1, before))
    before = await incarnations()
    async with served.connect() as client:
        await client.restart(0)
        with pytest.raises(caxton.errors.ValidationError, match="no shard 7"):
            await client.restart(7)
    await caxton.testing.eventually(lambda: restarted(0, before))
    before = await incarnations()
    command = [*CAXTON, "restart", "--shard", "1", "--runtime-dir", str(served.runtime_dir), "-o", "json"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True, timeout=100)

    assert answer.status_code == 202
    assert [worker["shard"] for worker in json.loads(done.stdout)["workers"]] == [1]
    assert await restarted(1, before)


async def test_settings_are_asked_for_from_another_machine(url, token):
    """With the same calls."""
    async with caxton.connect(url, token=token("admin")) as client:
        changed = await client.change_settings({LEVEL: "warning"})
        assert await client.settings() == changed
        again = await client.change_settings({LEVEL: "error"}, seen=changed)
        with pytest.raises(caxton.errors.ConfigurationError, match="others by now"):
            await client.change_settings({LEVEL: "info"}, seen=changed)
        assert await client.settings() == again
        with pytest.raises(caxton.errors.ConfigurationError, match="--max-retries"):
            await client.change_settings({"router.max_retries": 1})
        await client.change_settings({LEVEL: None})


async def test_levels_of_modules_change_in_workers_that_run(served, admin, spelled_out):
    """A guest's line of the level debug is written from when somebody asks for it on."""
    async with caxton.connect(served.runtime_dir) as client:
        agent = await client.deploy("talker", spelled_out)
        line = struct.pack("<iii", DEBUG, 1_024, 15)
        await client.send(agent, line)
        before = served.log.count("at your service")
        by_key(admin.patch("/v1/config", json={"settings": {MODULES: "guest=debug,gateway=debug"}}))
        async with asyncio.timeout(60):
            while served.log.count("at your service") == before:
                await client.send(agent, line)
        by_key(admin.patch("/v1/config", json={"settings": {MODULES: None}}))
        await client.remove(agent)
    assert before == 0


async def test_a_worker_that_is_started_later_has_the_levels_too(spelled_out):
    """What was changed holds until the runtime ends, whoever dies meanwhile."""
    with caxton.testing.runtime() as served:
        async with served.connect() as client:
            agent = await client.deploy("talker", spelled_out)
            await client.change_settings({LEVEL: "error", MODULES: "guest=debug"})
            await served.kill_worker(0)
            await client.send(agent, struct.pack("<iii", DEBUG, 1_024, 15))
        assert "at your service" in served.log
