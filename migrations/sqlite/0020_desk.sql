-- The issue of a digest that goes next, as editors shape it. One is open for each digest.
CREATE TABLE draft (
    pk     INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    slot   INTEGER NOT NULL, -- for which it was opened
    opened INTEGER NOT NULL,
    mailed INTEGER, -- when the editors were sent it
    closed INTEGER, -- when its issue was queued
    seen   INTEGER NOT NULL DEFAULT 0 -- the last entry considered when it was closed
) STRICT;

CREATE UNIQUE INDEX draft_open ON draft (digest) WHERE closed IS NULL;
CREATE INDEX draft_digest ON draft (digest, pk);
CREATE INDEX draft_seen ON draft (seen);

-- What editors ruled, in their order: what holds are those that were not undone.
CREATE TABLE desk_ruling (
    pk            INTEGER PRIMARY KEY,
    draft         INTEGER NOT NULL REFERENCES draft (pk),
    at            INTEGER NOT NULL,
    who           TEXT NOT NULL,
    kind          TEXT NOT NULL,
    entry         INTEGER, -- by which a story is known, also if it was deleted; a story by hand has the key of its ruling, negated
    other         INTEGER, -- the other story, or the ruling that is undone
    language      TEXT NOT NULL,
    is_everywhere INTEGER NOT NULL,
    text          TEXT NOT NULL,
    undone        INTEGER -- the ruling that undid it
) STRICT;

CREATE INDEX desk_ruling_draft ON desk_ruling (draft, pk);
CREATE INDEX desk_ruling_entry ON desk_ruling (entry);
CREATE INDEX desk_ruling_who ON desk_ruling (who COLLATE NOCASE);

-- Entries (JSON) whose stories were held back from the last issues of a subscriber; empty is none.
ALTER TABLE subscriber ADD COLUMN owed TEXT NOT NULL DEFAULT '';
