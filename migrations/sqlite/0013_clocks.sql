-- The latest time at which slots of subscribers were filled, in milliseconds since 1970: one row. A clock that goes back was ahead.
CREATE TABLE clock (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    latest INTEGER NOT NULL
) STRICT;

-- When the next page of an origin may be asked for, in milliseconds since 1970, where its robots.txt has a Crawl-delay.
CREATE TABLE next_page (
    origin TEXT PRIMARY KEY,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
