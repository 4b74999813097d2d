-- When what an entry tells of begins, for the entries that tell of an event. It is off once its calendar lists it no more. A table
-- of its own: entries without one cost nothing, and a store of a million of them is brought up to date at once.
CREATE TABLE event (
    entry  INTEGER PRIMARY KEY REFERENCES entry (pk) ON DELETE CASCADE,
    begin  INTEGER NOT NULL, -- milliseconds since 1970
    is_off INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX event_begin ON event (begin);
-- A development version had it on the table of the entries.
DROP INDEX IF EXISTS entry_event_begin;
