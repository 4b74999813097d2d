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

-- What goes to an outlet (a webhook, or a service such as a chat), until it is accepted or given up.
CREATE TABLE post (
    pk           INTEGER PRIMARY KEY,
    outlet       TEXT NOT NULL,
    event        TEXT NOT NULL, -- by which the outlet tells events apart: the same at every attempt
    body         TEXT NOT NULL,
    created      INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_attempt INTEGER NOT NULL,
    last_error   TEXT,
    worker       TEXT,
    claims       INTEGER NOT NULL DEFAULT 0,
    lease_end    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (outlet, event)
) STRICT;

CREATE INDEX post_due ON post (outlet, next_attempt);
CREATE INDEX post_worker ON post (worker) WHERE worker IS NOT NULL;

-- How far an outlet has considered what is published.
CREATE TABLE outlet_mark (
    outlet TEXT PRIMARY KEY,
    entry  INTEGER NOT NULL,
    issue  INTEGER NOT NULL
) STRICT;

-- What is wrong with the installation, and was lately.
CREATE TABLE alarm (
    pk      INTEGER PRIMARY KEY,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL, -- which source, digest or outlet
    text    TEXT NOT NULL,
    raised  INTEGER NOT NULL,
    ended   INTEGER
) STRICT;

CREATE UNIQUE INDEX alarm_open ON alarm (kind, subject) WHERE ended IS NULL;
CREATE INDEX alarm_ended ON alarm (ended);

-- How many people came and left lately.
CREATE INDEX subscriber_created ON subscriber (created);
CREATE INDEX suppression_at ON suppression (at);
