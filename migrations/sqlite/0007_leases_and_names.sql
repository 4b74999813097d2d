-- When the lease of a delivery or a push ends, by the clock of the machine: next_attempt, which stands by the clock of the run,
-- stays as it is while a worker has it.
ALTER TABLE delivery ADD COLUMN lease_end INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hub_push ADD COLUMN lease_end INTEGER NOT NULL DEFAULT 0;

-- The content of an entry: text, or a blob of Zstandard (RFC 8878). What an earlier version kept stays in content_html until the
-- entry changes.
ALTER TABLE entry ADD COLUMN content ANY;

-- The tables are named as what they hold is called: a publication is a feed of ours, and has its stories.
ALTER TABLE publication RENAME TO published_story;
ALTER TABLE outlet RENAME TO publication;
ALTER TABLE published_story RENAME COLUMN outlet TO publication;

-- The mark of the places for links of the recipient's own; empty in issues of before.
ALTER TABLE issue ADD COLUMN mark TEXT NOT NULL DEFAULT '';

-- Has a row while mail cannot leave: the operator is told once.
CREATE TABLE mail_held_up (id INTEGER PRIMARY KEY CHECK (id = 1)) STRICT;
