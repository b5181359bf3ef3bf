-- What a round's policy needs beyond credits: its settings, and contributions imported from lists.
CREATE TABLE round_terms (round VARCHAR PRIMARY KEY, terms VARCHAR NOT NULL);  -- canonical JSON, see rewards/policies.py
CREATE TABLE contributions (  -- `voter` is an author id or a checksummed address; `amount` is text: 256 bits
    round VARCHAR, voter VARCHAR, author VARCHAR, amount VARCHAR NOT NULL, trust_bp INTEGER, origin VARCHAR NOT NULL,
    PRIMARY KEY (round, voter, author)
);
