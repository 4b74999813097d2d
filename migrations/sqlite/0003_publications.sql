-- What stands in which feed, in the order in which it came: archives are cut from it and never change.
CREATE TABLE publication (
    outlet    TEXT NOT NULL, -- path of a feed under the channel's address, '' for the whole channel
    seq       INTEGER NOT NULL,
    story     INTEGER NOT NULL,
    sort_date INTEGER NOT NULL,
    PRIMARY KEY (outlet, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX publication_story ON publication (story, outlet);
CREATE INDEX publication_date ON publication (outlet, sort_date);

-- How many stories of the whole channel each day has.
CREATE TABLE published_day (day TEXT PRIMARY KEY, stories INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- A feed that is published, what it is of, and how many archive documents of it stand.
CREATE TABLE outlet (
    path     TEXT PRIMARY KEY,
    contents TEXT NOT NULL, -- JSON: a feed of something else is another feed
    archived INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Stories that changed since they were published, and files that are behind: a run that is killed leaves them to the next.
CREATE TABLE dirty_story (story INTEGER PRIMARY KEY) STRICT;
CREATE TABLE behind (path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

INSERT INTO dirty_story SELECT pk FROM story;

-- Titles and summaries, for the search page; and the entries whose words are not in it yet.
CREATE TABLE unindexed (entry INTEGER PRIMARY KEY) STRICT;
INSERT INTO unindexed SELECT pk FROM entry;

CREATE VIRTUAL TABLE entry_text USING fts5 (title, summary, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2", prefix = '3');
