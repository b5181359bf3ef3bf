-- The life of a round: programs, rules, who is eligible, shared payees, opt-outs, and the ledger of all that happens.
CREATE TABLE ledger (seq INTEGER PRIMARY KEY, hash VARCHAR NOT NULL UNIQUE, record VARCHAR NOT NULL);  -- see rewards/ledger.py
CREATE TABLE programs (
    name VARCHAR PRIMARY KEY, token VARCHAR NOT NULL, decimals INTEGER NOT NULL,
    defaults VARCHAR NOT NULL,  -- canonical JSON: what a round of it gets where nothing else is said
    created VARCHAR NOT NULL
);
CREATE TABLE round_rules (round VARCHAR PRIMARY KEY, program VARCHAR, rules VARCHAR NOT NULL);  -- canonical JSON, see rewards/rules.py
CREATE TABLE listed (  -- lists imported for a round's eligibility: stamp scores, stakes; `value` counts 10^-18
    round VARCHAR, kind VARCHAR, account VARCHAR, value VARCHAR NOT NULL, origin VARCHAR NOT NULL, PRIMARY KEY (round, kind, account)
);
CREATE TABLE opt_outs (author VARCHAR PRIMARY KEY, reason VARCHAR NOT NULL, since VARCHAR NOT NULL);
CREATE TABLE teams (name VARCHAR, address VARCHAR, weight BIGINT NOT NULL, PRIMARY KEY (name, address));
CREATE TABLE team_accounts (author VARCHAR PRIMARY KEY, team VARCHAR NOT NULL);
ALTER TABLE allocations ADD COLUMN team VARCHAR;
ALTER TABLE allocations ADD COLUMN batch INTEGER;  -- of payouts, from 1; none while nothing is final
