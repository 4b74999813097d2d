-- When what an entry tells of begins: NULL for what is no event. It is off once its calendar lists it no more.
ALTER TABLE entry ADD COLUMN event_begin INTEGER;
ALTER TABLE entry ADD COLUMN is_event_off INTEGER NOT NULL DEFAULT 0;
CREATE INDEX entry_event_begin ON entry (event_begin) WHERE event_begin IS NOT NULL;

-- The events that the page of a publication shows as coming up, where there are any.
CREATE TABLE coming (
    path   TEXT PRIMARY KEY,
    events TEXT NOT NULL -- JSON: stories and when they begin
) STRICT, WITHOUT ROWID;
