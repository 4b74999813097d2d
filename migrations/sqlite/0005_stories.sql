-- From which entry on a new subscriber gets stories, and from which on translations are sought.
CREATE INDEX IF NOT EXISTS entry_first_seen ON entry (first_seen);

-- What entries look like to those that may be copies or translations of them.
CREATE TABLE sketch (
    entry  INTEGER PRIMARY KEY REFERENCES entry (pk) ON DELETE CASCADE,
    sketch BLOB NOT NULL
) STRICT;

-- Who has a rare phrase, a title, a figure or a name, all as hashes. Rows of entries that are gone find nothing.
CREATE TABLE entry_trait (
    trait INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    day   INTEGER NOT NULL, -- of the entry, since 1970
    PRIMARY KEY (trait, entry)
) STRICT, WITHOUT ROWID;

-- The languages of sketches, as they have them.
CREATE TABLE sketch_language (language INTEGER PRIMARY KEY) STRICT;

-- Entries whose sketch is not made yet, or not after their last edit.
CREATE TABLE unsketched (entry INTEGER PRIMARY KEY) STRICT;
INSERT INTO unsketched SELECT pk FROM entry;

-- What an operator said: these two are one story, or are not, whatever their texts say.
CREATE TABLE ruling (
    a       INTEGER NOT NULL REFERENCES entry (pk) ON DELETE CASCADE,
    b       INTEGER NOT NULL REFERENCES entry (pk) ON DELETE CASCADE, -- after a
    is_same INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (a, b)
) STRICT, WITHOUT ROWID;

CREATE INDEX ruling_b ON ruling (b);

-- Topics that a person gave: they stand, and teach the classifier.
CREATE TABLE label (
    entry  INTEGER PRIMARY KEY REFERENCES entry (pk) ON DELETE CASCADE,
    topics TEXT NOT NULL, -- JSON: ids
    at     INTEGER NOT NULL
) STRICT;

-- How far a long job over all entries has come.
CREATE TABLE job (name TEXT PRIMARY KEY, done INTEGER NOT NULL, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
