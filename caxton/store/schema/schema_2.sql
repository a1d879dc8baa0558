-- What the durable lane keeps. Numbers are our own 63-bit integers. What peers gave (ids, files, sequences: unsigned
-- 64-bit) stands as the signed integer of the same bits. A column `seal`, and each blob of ours, starts with a version
-- and a check of its whole row (see seal.py). Nothing refers to anything: no statement can fail on what others sent.

ALTER TABLE agents ADD COLUMN seal BLOB NOT NULL DEFAULT x'';

CREATE TABLE meta (
    id INTEGER PRIMARY KEY,        -- always 1
    file_id INTEGER NOT NULL,      -- random, made with the file
    shard INTEGER NOT NULL,        -- -1 until a shard opens it
    next_number INTEGER NOT NULL,  -- the first that no row ever had
    commits INTEGER NOT NULL,
    boot INTEGER NOT NULL,         -- grows with every boot of the machine that the file sees
    boot_id TEXT NOT NULL,         -- the kernel's name for it
    seal BLOB NOT NULL
);

CREATE TABLE sources (
    file INTEGER PRIMARY KEY,
    taken INTEGER NOT NULL,
    refusals BLOB NOT NULL
);

CREATE TABLE targets (
    target INTEGER PRIMARY KEY,    -- a shard's number, or a session
    file INTEGER NOT NULL,
    emitted INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    seal BLOB NOT NULL
);

CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,
    target INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    messages BLOB NOT NULL
);

CREATE TABLE unfinished (
    number INTEGER PRIMARY KEY,
    boot INTEGER NOT NULL,         -- whose monotonic clock its times are on
    size INTEGER NOT NULL,
    messages BLOB NOT NULL
);

-- Beside `unfinished`, because an update there would write its blob again.
CREATE TABLE unfinished_done (
    number INTEGER PRIMARY KEY,
    done INTEGER NOT NULL,
    marks BLOB NOT NULL            -- message n: bit n % 8 of byte n / 8
);

CREATE TABLE message_queue (
    id INTEGER PRIMARY KEY,
    agent_id INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    created_at INTEGER NOT NULL,   -- milliseconds since 1970
    retry_count INTEGER NOT NULL,
    next_retry INTEGER,            -- milliseconds since 1970
    boot INTEGER NOT NULL,
    from_row INTEGER NOT NULL,     -- where it stood in `unfinished`; 0, 0 when it never did
    from_place INTEGER NOT NULL,
    message BLOB NOT NULL
);
CREATE INDEX message_queue_agent ON message_queue (agent_id, priority);

CREATE TABLE dead_letters (
    number INTEGER PRIMARY KEY,
    message_id BLOB NOT NULL,
    sender INTEGER NOT NULL,
    receiver INTEGER NOT NULL,
    reason TEXT NOT NULL,
    error TEXT NOT NULL,           -- JSON
    attempts INTEGER NOT NULL,
    died_at INTEGER NOT NULL,      -- milliseconds since 1970
    size INTEGER NOT NULL,         -- bytes of content
    requeued_from INTEGER,
    message BLOB NOT NULL
);
CREATE INDEX dead_letters_reason ON dead_letters (reason);
CREATE INDEX dead_letters_receiver ON dead_letters (receiver);

CREATE TABLE agent_states (
    agent_id INTEGER PRIMARY KEY,
    state BLOB NOT NULL
);

CREATE TABLE charges (
    source INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    deaths INTEGER NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (source, sequence)
) WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    receiver INTEGER NOT NULL,
    key BLOB NOT NULL,
    expires_at INTEGER NOT NULL,   -- milliseconds since 1970
    answer BLOB NOT NULL,
    PRIMARY KEY (receiver, key)
) WITHOUT ROWID;

CREATE TABLE ledger (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL,
    seal BLOB NOT NULL
) WITHOUT ROWID;

-- What version 1 had is sealed and counted from now on.
UPDATE agents SET seal = sealed(x'', id, number_of(name, capabilities, module, encoding, limits));

INSERT INTO ledger (name, value, seal) SELECT 'rows.agents', count(*), x'' FROM agents;
UPDATE ledger SET seal = sealed(x'', number_of(name), value);

INSERT INTO meta (id, file_id, shard, next_number, commits, boot, boot_id, seal)
VALUES (1, new_file_id(), -1, 1, 0, 1, '', x'');
UPDATE meta SET seal = sealed(x'', file_id, shard, next_number, commits, boot, number_of(boot_id));
