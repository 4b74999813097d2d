-- Work that only one process may do: which worker has it, until when, and for how many times it was taken.
CREATE TABLE lease (
    queue     TEXT NOT NULL, -- 'host': the sources of an origin; 'publisher': the published folder
    id        TEXT NOT NULL,
    worker    TEXT NOT NULL,
    attempt   INTEGER NOT NULL,
    lease_end INTEGER NOT NULL,
    PRIMARY KEY (queue, id)
) STRICT, WITHOUT ROWID;

-- Deliveries and pushes are leased in their own rows: next_attempt is the end of the lease while a worker has it.
ALTER TABLE delivery ADD COLUMN worker TEXT;
CREATE INDEX delivery_worker ON delivery (worker) WHERE worker IS NOT NULL;
ALTER TABLE hub_push ADD COLUMN worker TEXT;
ALTER TABLE hub_push ADD COLUMN claims INTEGER NOT NULL DEFAULT 0; -- never set back: who was overtaken is told by it
CREATE INDEX hub_push_due ON hub_push (next_attempt);
CREATE INDEX hub_push_worker ON hub_push (worker) WHERE worker IS NOT NULL;

-- Entries up to this one were looked at for an issue of a digest.
CREATE TABLE digest_mark (digest TEXT PRIMARY KEY, seen INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO digest_mark (digest, seen)
    SELECT digest, coalesce((SELECT pk FROM entry WHERE first_seen <= told.last ORDER BY first_seen DESC, pk DESC LIMIT 1), 0)
    FROM (SELECT digest, max(created) AS last FROM issue WHERE digest NOT LIKE '\_%' ESCAPE '\' GROUP BY digest) AS told;

-- Keys as hashes: they are only ever asked for as a whole.
CREATE TABLE entry_hash (
    hash         INTEGER NOT NULL,
    entry        INTEGER NOT NULL REFERENCES entry (pk) ON DELETE CASCADE,
    is_alternate INTEGER NOT NULL,
    PRIMARY KEY (hash, entry)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO entry_hash SELECT hash64(key), entry, kind = 'alternate' FROM entry_key;
DROP TABLE entry_key;
ALTER TABLE entry_hash RENAME TO entry_key;
CREATE INDEX entry_key_entry ON entry_key (entry);

-- Features stand in an index of their own, which is made of the sketches.
DROP TABLE entry_trait;

-- The number of the last story of an outlet: it goes on from there when stories are forgotten.
ALTER TABLE outlet ADD COLUMN published INTEGER NOT NULL DEFAULT 0;
UPDATE outlet SET published = coalesce((SELECT max(seq) FROM publication WHERE publication.outlet = outlet.path), 0);

-- How many entries of a source are stored: counting them takes as long as there are many.
ALTER TABLE source ADD COLUMN entries INTEGER NOT NULL DEFAULT 0;
UPDATE source SET entries = (SELECT count(*) FROM entry WHERE entry.source = source.id);

-- A story or an issue that goes is looked for in here.
CREATE INDEX issue_story_story ON issue_story (story);
CREATE INDEX issue_story_issue ON issue_story (issue);

-- Nothing asks for entries by their date alone.
DROP INDEX entry_sort_date;
