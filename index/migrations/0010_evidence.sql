-- What credit was computed from, so that anyone recomputes it: written with the credits, published with the release.
CREATE TABLE credit_evidence (kind VARCHAR, key VARCHAR, record VARCHAR NOT NULL, PRIMARY KEY (kind, key));
-- Whom the operator trusts to begin with; no row means that the default chooses.
CREATE TABLE trust_seeds (author VARCHAR PRIMARY KEY, weight INTEGER NOT NULL, note VARCHAR NOT NULL, added VARCHAR NOT NULL);
-- Proofs of personhood or of other accounts, imported from files; `score_bp` 10000 is passing.
CREATE TABLE identity_scores (
    author VARCHAR, kind VARCHAR, score_bp INTEGER NOT NULL, subject VARCHAR NOT NULL, origin VARCHAR NOT NULL,
    PRIMARY KEY (author, kind)
);
-- Reports that somebody carried an SOP out: an append-only log whose records are chained by hash.
CREATE TABLE outcome_events (seq INTEGER PRIMARY KEY, hash VARCHAR NOT NULL UNIQUE, record VARCHAR NOT NULL);
-- SOPs that people made from others: their records stand beside the distilled ones.
CREATE TABLE composed (id VARCHAR PRIMARY KEY, record VARCHAR NOT NULL, made VARCHAR NOT NULL, by_author VARCHAR NOT NULL);
