-- What was read: sources, authors, threads, posts and their versions, reactions, edges, tombstones, rejects.
CREATE TABLE sources (
    id VARCHAR PRIMARY KEY, kind VARCHAR NOT NULL, address VARCHAR NOT NULL, base_url VARCHAR NOT NULL,
    title VARCHAR NOT NULL, licence VARCHAR, payable BOOLEAN NOT NULL, allow_private BOOLEAN NOT NULL, last_error VARCHAR
);
CREATE TABLE cursors (source VARCHAR, name VARCHAR, value VARCHAR NOT NULL, PRIMARY KEY (source, name));
CREATE TABLE batches (id VARCHAR PRIMARY KEY);  -- spool files already committed
CREATE TABLE authors (
    id VARCHAR PRIMARY KEY, source VARCHAR NOT NULL, handle VARCHAR NOT NULL, name VARCHAR NOT NULL, staff BOOLEAN NOT NULL
);
CREATE TABLE threads (
    id VARCHAR PRIMARY KEY, source VARCHAR NOT NULL, title VARCHAR NOT NULL, created VARCHAR NOT NULL,
    permalink VARCHAR NOT NULL, category VARCHAR NOT NULL, tags VARCHAR[] NOT NULL, accepted_post VARCHAR
);
CREATE TABLE posts (
    id VARCHAR PRIMARY KEY, source VARCHAR NOT NULL, thread VARCHAR NOT NULL, number INTEGER, author VARCHAR NOT NULL,
    created VARCHAR NOT NULL, format VARCHAR NOT NULL, body VARCHAR NOT NULL, permalink VARCHAR NOT NULL, edited VARCHAR,
    version INTEGER NOT NULL, reply_to VARCHAR, state VARCHAR NOT NULL, likes INTEGER NOT NULL, kind VARCHAR NOT NULL,
    body_hash VARCHAR NOT NULL, plain VARCHAR NOT NULL, blocks VARCHAR NOT NULL, offsets BLOB NOT NULL, plain_version VARCHAR NOT NULL,
    first_seen VARCHAR NOT NULL, last_seen VARCHAR NOT NULL
);
CREATE TABLE post_versions (
    post VARCHAR, body_hash VARCHAR, version INTEGER NOT NULL, edited VARCHAR, format VARCHAR NOT NULL, body VARCHAR NOT NULL,
    first_seen VARCHAR NOT NULL, PRIMARY KEY (post, body_hash)
);
CREATE TABLE reactions (post VARCHAR, actor VARCHAR, kind VARCHAR, count INTEGER NOT NULL, PRIMARY KEY (post, actor, kind));
CREATE TABLE edges (kind VARCHAR, post VARCHAR, target VARCHAR, PRIMARY KEY (kind, post, target));
CREATE TABLE tombstones (post VARCHAR PRIMARY KEY, state VARCHAR NOT NULL, reason VARCHAR NOT NULL, seen VARCHAR NOT NULL);
CREATE TABLE rejects (
    source VARCHAR, place VARCHAR, reason VARCHAR, detail VARCHAR NOT NULL, PRIMARY KEY (source, place, reason)
);
