-- Identity links that a person accepted: they count as long as the network still says so (identity_links has them as mutual or checked).
CREATE TABLE accepted_links (
    author VARCHAR, kind VARCHAR, target VARCHAR, reason VARCHAR NOT NULL, accepted VARCHAR NOT NULL, PRIMARY KEY (author, kind, target)
);
