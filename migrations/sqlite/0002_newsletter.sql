-- Who gets digests of their own. What two subscribers have in common is one text: equal tastes are equal texts.
CREATE TABLE subscriber (
    pk             INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: old links stay dead
    address        TEXT NOT NULL UNIQUE COLLATE NOCASE,
    hash           TEXT NOT NULL UNIQUE, -- keyed hash of the address: stands in links, and in suppressions
    state          TEXT NOT NULL,
    language       TEXT NOT NULL,
    tastes         TEXT NOT NULL, -- JSON: languages, topics, partners, each sorted
    schedule       TEXT NOT NULL,
    seen           INTEGER NOT NULL, -- entries up to this one were looked at for an issue
    next_slot      INTEGER NOT NULL,
    last_issue     INTEGER,
    created        INTEGER NOT NULL,
    consent_source TEXT NOT NULL,
    consent_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX subscriber_due ON subscriber (state, next_slot);
CREATE INDEX subscriber_group ON subscriber (tastes, language, seen);

-- The web version of an issue stands under this name; empty for mails that have none.
ALTER TABLE issue ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE issue ADD COLUMN is_archived INTEGER NOT NULL DEFAULT 0;
CREATE INDEX issue_unarchived ON issue (is_archived) WHERE is_archived = 0;
CREATE INDEX delivery_recipient ON delivery (recipient COLLATE NOCASE);

-- What came back. A report that is read twice counts once.
CREATE TABLE bounce (
    id   TEXT PRIMARY KEY, -- digest of the report
    hash TEXT NOT NULL,    -- whose mail it was
    kind TEXT NOT NULL,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX bounce_hash ON bounce (hash, at);
