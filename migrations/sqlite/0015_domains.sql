-- Domains whose recipients are refused one after the other: until one is taken, a run tries one message only.
CREATE TABLE paused_domain (
    domain TEXT PRIMARY KEY,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- How often a delivery was handed over without an answer.
ALTER TABLE delivery ADD COLUMN uncertain INTEGER NOT NULL DEFAULT 0;
-- How the schedule of a digest was written when its slots were last looked at.
CREATE TABLE digest_schedule (
    digest   TEXT PRIMARY KEY,
    schedule TEXT NOT NULL
) STRICT, WITHOUT ROWID;
