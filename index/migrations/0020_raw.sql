-- Answers as they came: where each lies in the raw archive, and which posts were read from it.
CREATE TABLE raws (
    file VARCHAR, start BIGINT, id VARCHAR NOT NULL, source VARCHAR NOT NULL, url VARCHAR NOT NULL, seen VARCHAR NOT NULL,
    length BIGINT NOT NULL, digest VARCHAR NOT NULL, redacted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (file, start)
);
CREATE TABLE origins (post VARCHAR, raw VARCHAR, PRIMARY KEY (post, raw));
