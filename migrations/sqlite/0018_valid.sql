-- Archive documents of an earlier version may not be well-formed: each is looked at once, and written anew if it is not.
ALTER TABLE publication ADD COLUMN is_checked INTEGER NOT NULL DEFAULT 1;
UPDATE publication SET is_checked = 0;

-- The place of a source in the configuration: of two copies of one moment, that of the first source is shown.
ALTER TABLE source ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
