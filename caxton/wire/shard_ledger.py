"""What a worker says of the books of its shard's durable lane."""

import msgspec


class ShardLedger(msgspec.Struct, array_like=True, tag=40, frozen=True):
    """The books of one shard's durable lane, read in one transaction; see `caxton.store.ledger`.

    file: the store's id. counts: the counters, by their names. pending: messages counted in the rows of the store.
    outbox: messages counted in the outbox, by target (a shard's number, or a session). dead_letters: rows. emitted,
    acknowledged: the last sequence by target. taken: by source file. rows: rows by table, of tables that no message is
    counted in.
    """

    shard: int
    file: int
    counts: dict[str, int]
    pending: int
    outbox: dict[int, int]
    dead_letters: int
    emitted: dict[int, int]
    acknowledged: dict[int, int]
    taken: dict[int, int]
    rows: dict[str, int] = {}
