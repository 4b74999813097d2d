-- Readers of lists whom a server refused last, until one takes their mail. How many are refused at a domain, or in the same words, tells
-- whether that is theirs; all runs and processes share it.
CREATE TABLE refusal (
    hash     TEXT PRIMARY KEY, -- keyed hash of the address
    domain   TEXT NOT NULL,
    words    TEXT NOT NULL,    -- what the server says to everybody alike
    is_gone  INTEGER NOT NULL, -- it says that there is no such mailbox
    since    INTEGER NOT NULL,
    latest   INTEGER NOT NULL,
    delivery INTEGER NOT NULL, -- the last one that was refused
    believed INTEGER,          -- when the reader was suppressed for it
    was      TEXT              -- and what the subscriber's state was before
) STRICT, WITHOUT ROWID;

CREATE INDEX refusal_domain ON refusal (domain, latest);
CREATE INDEX refusal_words ON refusal (words, latest);
CREATE INDEX refusal_latest ON refusal (latest);

-- How many messages of lists a domain took on a day, and when the last of them.
CREATE TABLE domain_day (
    domain TEXT NOT NULL,
    day    INTEGER NOT NULL,
    taken  INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    PRIMARY KEY (domain, day)
) STRICT, WITHOUT ROWID;

CREATE INDEX domain_day_day ON domain_day (day);
