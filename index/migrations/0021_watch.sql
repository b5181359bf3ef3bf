-- What each crawl found of each source: so that one that falls silent or shrinks is noticed.
CREATE TABLE source_runs (
    number INTEGER, source VARCHAR, seen VARCHAR NOT NULL, posts BIGINT NOT NULL, newest VARCHAR NOT NULL, silent BOOLEAN NOT NULL,
    read BIGINT NOT NULL, requests BIGINT NOT NULL, milliseconds BIGINT NOT NULL, error VARCHAR, PRIMARY KEY (number, source)
);
