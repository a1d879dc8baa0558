-- One shard's file. Ids are our own 63-bit integers; what others chose is plain columns, never a key that could clash.
CREATE TABLE IF NOT EXISTS agents (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    capabilities TEXT NOT NULL, -- JSON array
    module BLOB NOT NULL,       -- sha256 of the wasm bytes
    encoding TEXT NOT NULL,
    limits TEXT NOT NULL,       -- JSON object
    created_at INTEGER NOT NULL, -- milliseconds since 1970
    updated_at INTEGER NOT NULL
);
