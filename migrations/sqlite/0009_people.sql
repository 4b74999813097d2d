-- What somebody agreed to, in the words that they saw.
ALTER TABLE subscriber ADD COLUMN consent_text TEXT;

-- Sign-ups that are not confirmed yet: their links name them by the hash, and end when one is confirmed or the person leaves.
CREATE TABLE sign_up (
    hash         TEXT NOT NULL,
    expires      INTEGER NOT NULL,
    address      TEXT NOT NULL,
    language     TEXT NOT NULL,
    tastes       TEXT NOT NULL,
    schedule     TEXT NOT NULL,
    consent_text TEXT,
    PRIMARY KEY (hash, expires)
) WITHOUT ROWID;
CREATE INDEX sign_up_expires ON sign_up (expires);
