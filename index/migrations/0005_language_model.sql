-- What a language model answered, kept so that nothing is asked twice and results can be made again; and what it cost.
CREATE TABLE llm_answers (
    request VARCHAR PRIMARY KEY,  -- "sha256:…" of the whole request: model, prompt, settings
    thread VARCHAR NOT NULL,  -- whose words were shown: the answer goes when one of its posts is taken back
    model VARCHAR NOT NULL, answer VARCHAR NOT NULL, tokens_in BIGINT NOT NULL, tokens_out BIGINT NOT NULL
);
CREATE TABLE llm_costs (
    run INTEGER, model VARCHAR, requests BIGINT NOT NULL, tokens_in BIGINT NOT NULL, tokens_out BIGINT NOT NULL,
    microdollars BIGINT NOT NULL, PRIMARY KEY (run, model)
);
