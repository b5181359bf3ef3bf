-- What networks without a forum's database tell: accounts and their handles, reactions one by one, deletions that bind what
-- comes later, people to be forgotten, and evidence of who is who.
CREATE TABLE handles (
    author VARCHAR, handle VARCHAR, name VARCHAR NOT NULL, told VARCHAR NOT NULL, PRIMARY KEY (author, handle)
);
CREATE TABLE reaction_events (
    id VARCHAR PRIMARY KEY, post VARCHAR NOT NULL, actor VARCHAR NOT NULL, kind VARCHAR NOT NULL, created VARCHAR NOT NULL
);
CREATE TABLE deletions (
    target VARCHAR, by_author VARCHAR, until VARCHAR NOT NULL, state VARCHAR NOT NULL, reason VARCHAR NOT NULL, seen VARCHAR NOT NULL,
    PRIMARY KEY (target, by_author)
);
CREATE TABLE vanished (
    author VARCHAR PRIMARY KEY, until VARCHAR NOT NULL, state VARCHAR NOT NULL, reason VARCHAR NOT NULL, seen VARCHAR NOT NULL
);
CREATE TABLE identity_told (author VARCHAR, via VARCHAR, told VARCHAR NOT NULL, PRIMARY KEY (author, via));
CREATE TABLE identity_links (
    author VARCHAR, via VARCHAR, kind VARCHAR, target VARCHAR, strength VARCHAR NOT NULL, evidence VARCHAR NOT NULL,
    told VARCHAR NOT NULL, PRIMARY KEY (author, via, kind, target)
);
