-- What is owed: credits, what earned nothing and why, payout identities, rounds and their allocations.
CREATE TABLE credits (
    author VARCHAR, procedure VARCHAR, version_id VARCHAR, step INTEGER, role VARCHAR, points BIGINT NOT NULL, post VARCHAR,
    why VARCHAR NOT NULL, PRIMARY KEY (author, procedure, step, role, post)
);
CREATE TABLE uncredited (  -- `reason` is short and countable, `detail` tells the author
    author VARCHAR, procedure VARCHAR, version_id VARCHAR NOT NULL, step INTEGER, role VARCHAR, post VARCHAR,
    reason VARCHAR NOT NULL, detail VARCHAR NOT NULL, PRIMARY KEY (author, procedure, step, role, post)
);
CREATE TABLE identities (author VARCHAR PRIMARY KEY, address VARCHAR NOT NULL, origin VARCHAR NOT NULL);
CREATE TABLE rounds (
    name VARCHAR PRIMARY KEY, budget VARCHAR NOT NULL, token VARCHAR NOT NULL, decimals INTEGER NOT NULL, policy VARCHAR NOT NULL,
    state VARCHAR NOT NULL, created VARCHAR NOT NULL
);
CREATE TABLE allocations (
    round VARCHAR, author VARCHAR, points BIGINT NOT NULL, amount VARCHAR NOT NULL, address VARCHAR, state VARCHAR NOT NULL,
    PRIMARY KEY (round, author)
);
