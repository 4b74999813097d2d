-- Sessions of those who signed in under /admin. Of what proves one, only a hash is kept.
CREATE TABLE admin_session (
    hash TEXT COLLATE "C" PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL, -- of the password that it was begun with
    created BIGINT NOT NULL,
    used BIGINT NOT NULL -- last, to a few minutes
);

CREATE INDEX admin_session_created ON admin_session (created);

-- How many entries a source brought on a day (counted since 1970, in UTC), for two months.
CREATE TABLE source_day (
    source TEXT COLLATE "C" NOT NULL REFERENCES source (id),
    day BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    PRIMARY KEY (source, day)
);

INSERT INTO source_day (source, day, entries)
    SELECT source, first_seen / 86400000, count(*) FROM entry
    WHERE first_seen >= (SELECT max(first_seen) FROM entry) - 60 * 86400000::BIGINT GROUP BY source, first_seen / 86400000;

-- What became of attempts to send mail on a day, by the server that was asked and the provider of the mailbox.
CREATE TABLE mail_day (
    day BIGINT NOT NULL,
    server TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    sent BIGINT NOT NULL,
    deferred BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    PRIMARY KEY (day, server, provider)
);

-- Entries that nearly are one story, or just about are one, until somebody judges them.
CREATE TABLE near_pair (
    entry BIGINT NOT NULL REFERENCES entry (pk) ON DELETE CASCADE,
    other BIGINT NOT NULL REFERENCES entry (pk) ON DELETE CASCADE,
    is_joined BIGINT NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (entry, other)
);

CREATE INDEX near_pair_other ON near_pair (other);
CREATE INDEX near_pair_at ON near_pair (at);
