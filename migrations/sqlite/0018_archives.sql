-- Archive documents of an earlier version may not be well-formed: each is looked at once, and written anew if it is not.
ALTER TABLE publication ADD COLUMN is_checked INTEGER NOT NULL DEFAULT 1;
UPDATE publication SET is_checked = 0;
