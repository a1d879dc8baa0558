-- An agent and its versions have rows of their own, with places for the node that has it; what boots of the machine were
-- kept for is gone, since what is stored goes by the served time. Each row is copied only if it is what was written.

ALTER TABLE agents RENAME TO agents_3;
CREATE TABLE agents (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    capabilities TEXT NOT NULL,      -- JSON array
    version INTEGER NOT NULL,        -- the number of its present one
    node_id TEXT NOT NULL,           -- the node that has it; '' is the one whose file this is
    last_heartbeat INTEGER NOT NULL, -- milliseconds since 1970: when that node last told of it
    created_at INTEGER NOT NULL,     -- milliseconds since 1970
    updated_at INTEGER NOT NULL,
    seal BLOB NOT NULL
);
CREATE TABLE agent_versions (
    agent_id INTEGER NOT NULL,
    number INTEGER NOT NULL,         -- 1 is the first
    label TEXT NOT NULL,             -- what people call it; '' when nobody named it
    manifest TEXT NOT NULL,          -- JSON object: how messages reach it, its limits, to whom it escalates
    module BLOB NOT NULL,            -- sha256 of the wasm bytes
    created_at INTEGER NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (agent_id, number)
) WITHOUT ROWID;

INSERT INTO agent_versions
SELECT id, 1, '', text, module, created_at,
    sealed(unsealed(seal, id, number_of(name, capabilities, module, encoding, limits)),
        id, 1, created_at, number_of('', text, module))
FROM (SELECT *, manifest_of(encoding, limits) AS text FROM agents_3) ORDER BY id;

INSERT INTO agents
SELECT id, name, state, capabilities, 1, '', updated_at, created_at, updated_at,
    sealed(x'', id, 1, number_of(name, capabilities, ''))
FROM agents_3 ORDER BY id;

DROP TABLE agents_3;
CREATE INDEX agents_state ON agents (state);

INSERT INTO ledger
SELECT 'rows.agent_versions', value,
    sealed(unsealed(seal, number_of(name), value), number_of('rows.agent_versions'), value)
FROM ledger WHERE name = 'rows.agents';

-- Agents of other nodes, and how to reach them.
CREATE TABLE routes (
    agent_id INTEGER PRIMARY KEY,
    node_id TEXT NOT NULL,
    updated_at INTEGER NOT NULL,     -- milliseconds since 1970
    hops INTEGER NOT NULL,
    seal BLOB NOT NULL
);
CREATE INDEX routes_node ON routes (node_id);

-- What commits added to conversations: rows are added and removed, and never changed.
CREATE TABLE conversations (
    number INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,           -- how many conversations it tells of
    records BLOB NOT NULL
);

CREATE INDEX dead_letters_message ON dead_letters (message_id);

ALTER TABLE unfinished RENAME TO unfinished_3;
CREATE TABLE unfinished (
    number INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    messages BLOB NOT NULL
);
INSERT INTO unfinished
SELECT number, size, sealed(unsealed(messages, number, boot, size), number, size) FROM unfinished_3 ORDER BY number;
DROP TABLE unfinished_3;

DROP INDEX message_queue_agent;
ALTER TABLE message_queue RENAME TO message_queue_3;
CREATE TABLE message_queue (
    id INTEGER PRIMARY KEY,
    agent_id INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    created_at INTEGER NOT NULL,     -- milliseconds since 1970
    retry_count INTEGER NOT NULL,
    next_retry INTEGER,              -- milliseconds since 1970
    from_row INTEGER NOT NULL,       -- where it stood in `unfinished`; 0, 0 when it never did
    from_place INTEGER NOT NULL,
    message BLOB NOT NULL
);
INSERT INTO message_queue
SELECT id, agent_id, priority, created_at, retry_count, next_retry, from_row, from_place,
    sealed(
        unsealed(message, id, agent_id, priority, created_at, retry_count, ifnull(next_retry, -1),
            boot, from_row, from_place),
        id, agent_id, priority, created_at, retry_count, ifnull(next_retry, -1), from_row, from_place)
FROM message_queue_3 ORDER BY id;
DROP TABLE message_queue_3;
CREATE INDEX message_queue_agent ON message_queue (agent_id, priority);

ALTER TABLE meta RENAME TO meta_3;
CREATE TABLE meta (
    id INTEGER PRIMARY KEY,          -- always 1
    file_id INTEGER NOT NULL,        -- random, made with the file
    shard INTEGER NOT NULL,          -- -1 until a shard opens it
    next_number INTEGER NOT NULL,    -- the first that no row ever had
    commits INTEGER NOT NULL,
    seal BLOB NOT NULL
);
INSERT INTO meta
SELECT id, file_id, shard, next_number, commits,
    sealed(unsealed(seal, file_id, shard, next_number, commits, boot, number_of(boot_id)),
        file_id, shard, next_number, commits)
FROM meta_3;
DROP TABLE meta_3;
