-- Identity claims: an append-only log whose records are chained by hash. What is in force is read from it, never stored beside it.
CREATE TABLE claim_events (seq INTEGER PRIMARY KEY, hash VARCHAR NOT NULL UNIQUE, record VARCHAR NOT NULL);
