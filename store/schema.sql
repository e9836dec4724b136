-- The grange store, schema 3. docs/manual/store.md says the same for people who query it.
--
-- The hot path appends to `chunk`, `ended` and `output` in rowid order and to nothing else; neither they
-- nor `attempt` may have a secondary index (each one halves the rate). State is derived: a task without
-- a row in `ended` (its own, or through `adopted`) has not ended.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value                     -- epoch: raised at each start of a scheduler; end: ended.n that was given
                              -- out last when rows of ended were taken out; halt ID: the last ended.n
                              -- that the halt rule of the array does not look at
) WITHOUT ROWID;

CREATE TABLE study (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    current INTEGER NOT NULL, -- array.id: the submission that counts
    active INTEGER NOT NULL,  -- whether a scheduler that starts goes on with it by itself
    submission INTEGER NOT NULL, -- grows with every submission of any study: the largest is the last
    created_ms INTEGER NOT NULL,
    view TEXT,                -- the name of its results view, without quotes
    rows_sql TEXT,            -- the SELECT behind that view, with each value's own spelling added
    halted INTEGER NOT NULL DEFAULT 0 -- not active because a halt rule said so
);

CREATE TABLE array (          -- one row a submission; its tasks are first_task .. first_task + n - 1
    id INTEGER PRIMARY KEY,
    study INTEGER NOT NULL,
    first_task INTEGER NOT NULL,
    n INTEGER NOT NULL,
    key BLOB NOT NULL,        -- 16 bytes: the same design again is the same array
    submitted_ms INTEGER NOT NULL,
    policy TEXT NOT NULL,     -- JSON; what is not there is 0
    spec_packed INTEGER NOT NULL,
    spec,                     -- the study as JSON; a zstd frame when spec_packed
    kind INTEGER NOT NULL DEFAULT 0,   -- 0 points, 1 calls: n grows, and 2^26 task ids are its own
    closed INTEGER NOT NULL DEFAULT 0, -- calls: nothing is appended any more
    key_text TEXT,                     -- calls: the key that the client gave it
    first_end INTEGER NOT NULL DEFAULT 0,  -- calls: none of its ends comes before this ended.n,
    first_chunk INTEGER NOT NULL DEFAULT 0 -- none of its chunks before this chunk.n
);
CREATE UNIQUE INDEX array_key ON array(key_text) WHERE key_text IS NOT NULL;

CREATE TABLE chunk (          -- calls at .. at + calls - 1 of an array, as they were appended
    n INTEGER PRIMARY KEY,    -- in the order of appending, over all arrays
    array INTEGER NOT NULL,
    at INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    appended_ms INTEGER NOT NULL,
    flags INTEGER NOT NULL,   -- 1: data is a zstd frame, 2: there are rules or edges in it
    data BLOB                 -- counts, sizes, edges, blobs, rules, payloads: docs/manual/store.md
);

CREATE TABLE blob (           -- payloads and results that are files of their own: blobs/ID in hex
    id INTEGER PRIMARY KEY,
    task INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    result INTEGER NOT NULL   -- 0: a payload, 1: a result
);
CREATE INDEX blob_task ON blob(task);

CREATE TABLE ended (          -- one row an end, in the order they were recorded
    n INTEGER PRIMARY KEY,
    task INTEGER NOT NULL,
    state INTEGER NOT NULL,   -- 3 done, 4 failed, 5 cancelled, 7 quarantined, 9 skipped
    lease INTEGER NOT NULL,
    worker INTEGER NOT NULL,  -- worker.id; 0: none
    reason INTEGER NOT NULL,  -- 0 exit, 1 signal, 2 timeout, 3 not started, 4 worker lost, 5 stopped,
                              -- 6 cancelled, 7 quarantined, 8 superseded, 9 worker trouble,
                              -- 10 dependency
    code INTEGER NOT NULL,    -- exit status, signal, limit in ms or errno, as reason says
    attempts INTEGER NOT NULL,
    started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, -- since 1970 UTC; 0: never started
    wall_us INTEGER NOT NULL, user_us INTEGER NOT NULL, sys_us INTEGER NOT NULL,
    maxrss_kib INTEGER NOT NULL,
    vals TEXT,                -- JSON array of strings: the factor values in factor order
    metrics TEXT,             -- JSON object; NULL when there is none
    error TEXT,               -- the first line of stderr of a failure
    dir TEXT,                 -- the point's own directory, relative to the grange directory
    out_total INTEGER NOT NULL, err_total INTEGER NOT NULL, -- bytes that were printed
    metrics_missing INTEGER NOT NULL,
    because INTEGER,          -- reason 10: the task that did not end as it had to
    result BLOB               -- of a call: what it gave back; NULL: nothing, or a row of blob
);

CREATE TABLE output (         -- only of points that printed something; n as in ended
    n INTEGER PRIMARY KEY,
    flags INTEGER NOT NULL,   -- 1: out is a zstd frame, 2: err is one
    out_file TEXT, err_file TEXT, -- all of a stream that was too long to keep here
    out BLOB, err BLOB,
    blob INTEGER, blob_bytes INTEGER -- of a call: a result that is a file; blob.id
);

CREATE TABLE attempt (        -- ends of leases that did not become the result, oldest first
    n INTEGER PRIMARY KEY,
    task INTEGER NOT NULL,
    state INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    worker INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    code INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,
    wall_us INTEGER NOT NULL, user_us INTEGER NOT NULL, sys_us INTEGER NOT NULL,
    maxrss_kib INTEGER NOT NULL,
    vals TEXT,
    metrics TEXT,
    error TEXT,
    dir TEXT,
    out_total INTEGER NOT NULL, err_total INTEGER NOT NULL,
    metrics_missing INTEGER NOT NULL,
    counted INTEGER NOT NULL, -- 1: it spends a retry
    reopened INTEGER NOT NULL, -- 1: the task was given new attempts after this one; nothing before counts
    err_packed INTEGER NOT NULL,
    err BLOB                  -- the head of stderr
);

CREATE TABLE adopted (        -- the end of task is that of from_task, the same point of an older array
    task INTEGER PRIMARY KEY,
    from_task INTEGER NOT NULL
);

CREATE TABLE running (        -- leases that have lived longer than about a second
    lease INTEGER PRIMARY KEY,
    task INTEGER NOT NULL,
    worker INTEGER NOT NULL,
    started_ms INTEGER NOT NULL
);

CREATE TABLE worker (
    id INTEGER PRIMARY KEY,
    instance INTEGER NOT NULL,
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    slots INTEGER NOT NULL,
    memory_mib INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    gone_ms INTEGER,          -- NULL while it is connected
    labels TEXT,              -- one a line, its functions as fn:NAME; as it said last
    resources TEXT,           -- JSON object: how much it has of what
    end_ms INTEGER            -- when it said that it ends; NULL: not known to
);

-- Every ended task, by itself or by adoption. `ended` is scanned and `adopted` looked up, never the
-- other way round: ended has no index on task.
CREATE VIEW point_end AS
SELECT task, state, worker, reason, code, attempts, started_ms, ended_ms, wall_us, vals, metrics
FROM ended
UNION ALL
SELECT a.task, e.state, e.worker, e.reason, e.code, e.attempts, e.started_ms, e.ended_ms, e.wall_us,
       e.vals, e.metrics
FROM ended e CROSS JOIN adopted a ON a.from_task = e.task;

-- Calls that have ended, in the order of their ends.
CREATE VIEW calls AS
SELECT a.key_text || ':' || (e.task - a.first_task) AS call, s.name AS study,
       CASE e.state WHEN 3 THEN 'done' WHEN 4 THEN 'failed' WHEN 5 THEN 'cancelled'
                    WHEN 7 THEN 'quarantined' ELSE 'skipped' END AS state,
       e.code AS code, e.error AS error, e.wall_us / 1e6 AS seconds, e.attempts AS attempts,
       (SELECT host FROM worker WHERE id = e.worker) AS host, e.result AS result
FROM ended e CROSS JOIN array a ON e.task BETWEEN a.first_task AND a.first_task + a.n - 1 AND a.kind = 1
JOIN study s ON s.id = a.study;
