-- Sessions of those who signed in under /admin. Of what proves one, only a hash is kept.
CREATE TABLE admin_session (
    hash        TEXT PRIMARY KEY,
    account     TEXT NOT NULL,
    fingerprint TEXT NOT NULL, -- of the password that it was begun with
    created     INTEGER NOT NULL,
    used        INTEGER NOT NULL -- last, to a few minutes
) STRICT, WITHOUT ROWID;

CREATE INDEX admin_session_created ON admin_session (created);

-- How many entries a source brought on a day (counted since 1970, in UTC), for two months.
CREATE TABLE source_day (
    source  TEXT NOT NULL REFERENCES source (id),
    day     INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    PRIMARY KEY (source, day)
) STRICT, WITHOUT ROWID;

INSERT INTO source_day (source, day, entries)
    SELECT source, first_seen / 86400000, count(*) FROM entry
    WHERE first_seen >= (SELECT max(first_seen) FROM entry) - 60 * 86400000 GROUP BY source, first_seen / 86400000;

-- What became of attempts to send mail on a day, by the server that was asked and the provider of the mailbox.
CREATE TABLE mail_day (
    day      INTEGER NOT NULL,
    server   TEXT NOT NULL,
    provider TEXT NOT NULL,
    sent     INTEGER NOT NULL,
    deferred INTEGER NOT NULL,
    refused  INTEGER NOT NULL,
    PRIMARY KEY (day, server, provider)
) STRICT, WITHOUT ROWID;

-- Entries that nearly are one story, or just about are one, until somebody judges them.
CREATE TABLE near_pair (
    entry     INTEGER NOT NULL REFERENCES entry (pk) ON DELETE CASCADE,
    other     INTEGER NOT NULL REFERENCES entry (pk) ON DELETE CASCADE,
    is_joined INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (entry, other)
) STRICT, WITHOUT ROWID;

CREATE INDEX near_pair_other ON near_pair (other);
CREATE INDEX near_pair_at ON near_pair (at);
