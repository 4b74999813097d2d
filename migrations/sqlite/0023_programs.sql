-- Tokens by which programs use the API. Of a token itself only a hash is kept.
CREATE TABLE api_token (
    hash    TEXT PRIMARY KEY,
    name    TEXT NOT NULL,
    scopes  TEXT NOT NULL, -- what it allows, with spaces between
    created INTEGER NOT NULL,
    expires INTEGER,
    used    INTEGER, -- last, to the hour
    revoked INTEGER
) STRICT;

-- A name is free again once its token was revoked.
CREATE UNIQUE INDEX api_token_name ON api_token (name) WHERE revoked IS NULL;
