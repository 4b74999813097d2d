-- Keys of entries are given out by the unit that adds them, so that many rows are added by one statement.
ALTER TABLE entry ALTER COLUMN pk DROP IDENTITY;
