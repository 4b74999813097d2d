-- Who wants our feeds pushed to them (WebSub hub).
CREATE TABLE hub_subscriber (
    callback  TEXT NOT NULL,
    topic     TEXT NOT NULL, -- address of one of our feeds
    secret    TEXT NOT NULL, -- empty: not signed
    lease_end INTEGER NOT NULL,
    PRIMARY KEY (callback, topic)
) STRICT, WITHOUT ROWID;

CREATE INDEX hub_subscriber_topic ON hub_subscriber (topic, lease_end);

-- What is to be told to whom: a push to a subscriber of ours, or a word to another hub.
CREATE TABLE hub_push (
    callback     TEXT NOT NULL,
    topic        TEXT NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_attempt INTEGER NOT NULL,
    PRIMARY KEY (callback, topic)
) STRICT, WITHOUT ROWID;

-- Feeds whose bytes changed, until it was put down whom to tell.
CREATE TABLE changed_feed (path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
