-- Since when agents cannot have what is sent to them: timeouts of durable messages stand still meanwhile. Times are in
-- milliseconds of the served time, which the counter `served_ms` holds.

CREATE TABLE absences (
    agent_id INTEGER PRIMARY KEY,
    away INTEGER NOT NULL,         -- how long it was absent before
    since INTEGER NOT NULL,        -- since when it is absent now; -1 when it is not
    seal BLOB NOT NULL
);
