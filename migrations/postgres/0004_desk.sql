-- The issue of a digest that goes next, as editors shape it. One is open for each digest.
CREATE TABLE draft (
    pk BIGINT PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL,
    slot BIGINT NOT NULL, -- for which it was opened
    opened BIGINT NOT NULL,
    mailed BIGINT, -- when the editors were sent it
    closed BIGINT, -- when its issue was queued
    seen BIGINT NOT NULL DEFAULT 0 -- the last entry considered when it was closed
);

CREATE UNIQUE INDEX draft_open ON draft (digest) WHERE closed IS NULL;
CREATE INDEX draft_digest ON draft (digest, pk);
CREATE INDEX draft_seen ON draft (seen);

-- What editors ruled, in their order: what holds are those that were not undone.
CREATE TABLE desk_ruling (
    pk BIGINT PRIMARY KEY,
    draft BIGINT NOT NULL REFERENCES draft (pk),
    at BIGINT NOT NULL,
    who TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    entry BIGINT, -- by which a story is known, also if it was deleted; a story by hand has the key of its ruling, negated
    other BIGINT, -- the other story, or the ruling that is undone
    language TEXT COLLATE "C" NOT NULL,
    is_everywhere BIGINT NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    undone BIGINT -- the ruling that undid it
);

CREATE INDEX desk_ruling_draft ON desk_ruling (draft, pk);
CREATE INDEX desk_ruling_entry ON desk_ruling (entry);
CREATE INDEX desk_ruling_who ON desk_ruling (who COLLATE nocase);

-- Entries (JSON) whose stories were held back from the last issues of a subscriber; empty is none.
ALTER TABLE subscriber ADD COLUMN owed TEXT COLLATE "C" NOT NULL DEFAULT '';
