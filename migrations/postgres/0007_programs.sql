-- Tokens by which programs use the API. Of a token itself only a hash is kept.
CREATE TABLE api_token (
    hash TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    scopes TEXT COLLATE "C" NOT NULL, -- what it allows, with spaces between
    created BIGINT NOT NULL,
    expires BIGINT,
    used BIGINT, -- last, to the hour
    revoked BIGINT
);

-- A name is free again once its token was revoked.
CREATE UNIQUE INDEX api_token_name ON api_token (name) WHERE revoked IS NULL;
