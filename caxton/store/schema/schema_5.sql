-- What operators and programs had done in this shard: a chain for each file, whose rows have the hash of the one before.

CREATE TABLE audit (
    place INTEGER PRIMARY KEY,       -- in the order of writing: those of the lowest make room
    chain INTEGER NOT NULL,          -- the id of the file in which it was written
    number INTEGER NOT NULL,         -- in its chain, from 1 on
    at INTEGER NOT NULL,             -- milliseconds since 1970
    action TEXT NOT NULL,
    principal TEXT NOT NULL,         -- '' is the runtime's owner
    subject TEXT NOT NULL,           -- the name of an agent, or what else it was done to
    outcome TEXT NOT NULL,
    previous BLOB NOT NULL,          -- the hash of the row before; of the first, nothing
    hash BLOB NOT NULL               -- sha256 of all of the above but the place
);
CREATE UNIQUE INDEX audit_chain ON audit (chain, number);
CREATE TABLE audit_heads (
    chain INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,          -- the lowest number that is kept
    last INTEGER NOT NULL,
    hash BLOB NOT NULL               -- of the row of that number
);
