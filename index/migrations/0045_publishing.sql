-- What leaves: what of a post is hidden before anything reads it, who asked to be left out, what releases were made with.
CREATE TABLE post_masks (  -- one row per post that was looked through; `plain` is null where nothing had to be hidden
    post VARCHAR PRIMARY KEY, body_hash VARCHAR NOT NULL, basis VARCHAR NOT NULL,  -- "mask/1" and whose mentions were hidden
    plain VARCHAR, body_digest VARCHAR, plain_digest VARCHAR  -- sha256 of the masked body and plain text
);
CREATE TABLE published (  -- procedures' records with words masked and quotes cut: made once for each version
    record_hash VARCHAR, basis VARCHAR, record VARCHAR NOT NULL, PRIMARY KEY (record_hash, basis)
);
CREATE TABLE optouts (author VARCHAR PRIMARY KEY, handle VARCHAR NOT NULL, proof VARCHAR NOT NULL, added VARCHAR NOT NULL);
CREATE TABLE publishing (name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);  -- "quote_chars" of the newest release
