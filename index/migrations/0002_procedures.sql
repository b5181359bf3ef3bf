-- What was distilled: one row of work per thread, procedures with every version, and the runs that made them.
CREATE TABLE thread_work (
    thread VARCHAR PRIMARY KEY, input_hash VARCHAR NOT NULL,  -- of posts and configuration: unchanged means nothing to do
    outcome VARCHAR NOT NULL, reason VARCHAR NOT NULL, report VARCHAR NOT NULL,  -- "procedures" or "abstained", why, what was seen
    drafts VARCHAR NOT NULL, passages_seen INTEGER NOT NULL, passages_scored INTEGER NOT NULL, micros BIGINT NOT NULL
);
CREATE TABLE kept_passages (
    post VARCHAR, thread VARCHAR NOT NULL, start INTEGER, stop INTEGER NOT NULL, text VARCHAR NOT NULL, score_bp INTEGER NOT NULL,
    vector BLOB NOT NULL, PRIMARY KEY (post, start, stop)
);
CREATE TABLE procedures (
    id VARCHAR, version INTEGER, version_id VARCHAR NOT NULL, current BOOLEAN NOT NULL, threads VARCHAR[] NOT NULL,
    record VARCHAR NOT NULL, record_hash VARCHAR NOT NULL, goal_vector BLOB NOT NULL, cluster INTEGER, PRIMARY KEY (id, version)
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, started VARCHAR NOT NULL, finished VARCHAR, status VARCHAR NOT NULL, config VARCHAR NOT NULL,
    counts VARCHAR NOT NULL
);
CREATE TABLE stage_costs (run INTEGER, stage VARCHAR, items BIGINT NOT NULL, micros BIGINT NOT NULL, PRIMARY KEY (run, stage));
