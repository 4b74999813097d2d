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

-- What goes to an outlet (a webhook, or a service such as a chat), until it is accepted or given up.
CREATE TABLE post (
    pk BIGINT PRIMARY KEY,
    outlet TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL, -- by which the outlet tells events apart: the same at every attempt
    body TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    next_attempt BIGINT NOT NULL,
    last_error TEXT COLLATE "C",
    worker TEXT COLLATE "C",
    claims BIGINT NOT NULL DEFAULT 0,
    lease_end BIGINT NOT NULL DEFAULT 0,
    UNIQUE (outlet, event)
);

CREATE INDEX post_due ON post (outlet, next_attempt);
CREATE INDEX post_worker ON post (worker) WHERE worker IS NOT NULL;

-- How far an outlet has considered what is published.
CREATE TABLE outlet_mark (
    outlet TEXT COLLATE "C" PRIMARY KEY,
    entry BIGINT NOT NULL,
    issue BIGINT NOT NULL
);

-- What is wrong with the installation, and was lately.
CREATE TABLE alarm (
    pk BIGINT PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL, -- which source, digest or outlet
    text TEXT COLLATE "C" NOT NULL,
    raised BIGINT NOT NULL,
    ended BIGINT
);

CREATE UNIQUE INDEX alarm_open ON alarm (kind, subject) WHERE ended IS NULL;
CREATE INDEX alarm_ended ON alarm (ended);

-- How many people came and left lately.
CREATE INDEX subscriber_created ON subscriber (created);
CREATE INDEX suppression_at ON suppression (at);
