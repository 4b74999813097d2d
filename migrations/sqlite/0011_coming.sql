-- The events that the page of a publication shows as coming up, where there are any.
CREATE TABLE coming (
    path   TEXT PRIMARY KEY,
    events TEXT NOT NULL -- JSON: stories and when they begin
) STRICT, WITHOUT ROWID;
