-- Times are milliseconds since 1970 in UTC. Texts of JSON are written and read by src/store only.

CREATE TABLE source (
    id      TEXT PRIMARY KEY,
    partner TEXT NOT NULL,
    state   TEXT NOT NULL -- JSON: validators, errors, next poll, hints; read whole, never searched
) STRICT;

CREATE TABLE robots (
    origin  TEXT PRIMARY KEY,
    text    TEXT, -- NULL: could not be had
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE story (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE entry (
    pk           INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    source       TEXT NOT NULL REFERENCES source (id),
    identity     TEXT NOT NULL,
    guid         TEXT,
    url          TEXT,
    title        TEXT NOT NULL,
    summary      TEXT NOT NULL,
    summary_html TEXT,
    content_html TEXT,
    language     TEXT,
    published    INTEGER,
    updated      INTEGER,
    first_seen   INTEGER NOT NULL,
    last_seen    INTEGER NOT NULL,
    changed      INTEGER NOT NULL,
    fingerprint  TEXT NOT NULL,
    details      TEXT NOT NULL, -- JSON: authors, tags, image, enclosures, alternates, provenance, same_as
    topics       TEXT NOT NULL, -- JSON: topic, score, evidence
    story        INTEGER NOT NULL REFERENCES story (pk),
    relation     TEXT NOT NULL,
    reason       TEXT,
    announced    INTEGER NOT NULL,
    sort_date    INTEGER NOT NULL,
    UNIQUE (source, identity)
) STRICT;

CREATE INDEX entry_story ON entry (story);
CREATE INDEX entry_sort_date ON entry (sort_date);
CREATE INDEX entry_last_seen ON entry (source, last_seen);

-- What entries of one story have in common: addresses, mostly.
CREATE TABLE entry_key (
    key   TEXT NOT NULL,
    entry INTEGER NOT NULL REFERENCES entry (pk) ON DELETE CASCADE,
    kind  TEXT NOT NULL,
    PRIMARY KEY (key, entry)
) STRICT, WITHOUT ROWID;

CREATE INDEX entry_key_entry ON entry_key (entry);

CREATE TABLE issue (
    pk      INTEGER PRIMARY KEY,
    digest  TEXT NOT NULL,
    slot    INTEGER NOT NULL,
    created INTEGER NOT NULL,
    subject TEXT NOT NULL,
    text    TEXT NOT NULL,
    html    TEXT NOT NULL
) STRICT;

CREATE INDEX issue_digest ON issue (digest, slot);

-- A story goes out once in a digest.
CREATE TABLE issue_story (
    digest TEXT NOT NULL,
    story  INTEGER NOT NULL REFERENCES story (pk),
    issue  INTEGER NOT NULL REFERENCES issue (pk),
    PRIMARY KEY (digest, story)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
    pk           INTEGER PRIMARY KEY,
    issue        INTEGER NOT NULL REFERENCES issue (pk),
    recipient    TEXT NOT NULL,
    message_id   TEXT NOT NULL UNIQUE,
    state        TEXT NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_attempt INTEGER NOT NULL,
    last_error   TEXT,
    UNIQUE (issue, recipient)
) STRICT;

CREATE INDEX delivery_due ON delivery (state, next_attempt);

-- Subscriptions at hubs (WebSub).
CREATE TABLE subscription (
    source    TEXT PRIMARY KEY REFERENCES source (id),
    token     TEXT NOT NULL UNIQUE,
    hub       TEXT NOT NULL,
    topic     TEXT NOT NULL,
    secret    TEXT NOT NULL,
    asked     INTEGER NOT NULL,
    lease_end INTEGER,
    last_push INTEGER
) STRICT;

-- What the operator has to know of the sources, until it was put into a mail.
CREATE TABLE notice (
    pk     INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    at     INTEGER NOT NULL,
    text   TEXT NOT NULL
) STRICT;

-- Secrets of this installation, made at first use.
CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who is not to get a digest any more; digest '' is all of them.
CREATE TABLE suppression (
    address TEXT NOT NULL, -- lower case
    digest  TEXT NOT NULL,
    reason  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (address, digest)
) STRICT, WITHOUT ROWID;
