-- A mail by somebody that is passed on: where an answer to it goes, and the mail itself.
ALTER TABLE issue ADD COLUMN reply_to TEXT;
ALTER TABLE issue ADD COLUMN forwarded BLOB;

-- What came back before somebody was let in again is history: it counts no more.
ALTER TABLE bounce ADD COLUMN is_past INTEGER NOT NULL DEFAULT 0;
CREATE TABLE lifted_suppression (
    hash   TEXT NOT NULL, -- keyed hash of the address
    digest TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL,
    lifted INTEGER NOT NULL
) STRICT;
CREATE INDEX lifted_suppression_hash ON lifted_suppression (hash);
