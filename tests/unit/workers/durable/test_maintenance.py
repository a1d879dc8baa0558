from workers.agents.registry import Hold


def test_a_full_agent_whose_messages_expire_has_room_again(durable, make_far, clocks, converse, durable_message):
    """When what waits for a program that is busy expires, who was told that its agent is full is told of the room."""
    client = make_far(durable.sessions[0], durable)
    agent = durable.agent(1, capacity=4)
    agent.hold(Hold.ATTACHED)
    durable.worker._attached.attach(durable.sessions[1], agent)
    client.send(*(durable_message(client.number, agent.agent_id, timeout_ms=1_000) for _ in range(4)))
    converse(durable, client)
    assert client.link.full == {agent.agent_id}

    for _ in range(12):
        clocks.wait(0.2)
        durable.worker._tick()
    converse(durable, client)
    assert durable.ledger().counts["expired"] == 4
    assert client.link.full == frozenset()


def test_a_client_that_is_gone_without_a_word_is_found(durable, make_far, converse, durable_message):
    """Who holds its lock no more is ended within ten ticks: what it was sent is dead, and the file forgets it."""
    client = make_far(durable.sessions[0], durable)
    agent = durable.agent(1)
    durable.routes.send([durable_message(agent.agent_id, client.number)], (0, 0))
    durable.work()
    durable.gone.add(client.number)
    for _ in range(10):
        durable.worker._tick()
    durable.work()

    ledger = durable.ledger()
    assert (ledger.dead_letters, ledger.outbox, ledger.taken) == (1, {}, {})
    assert durable.peers.has_ended(client.number)
