-- Whether a delivery waits for a reason that is not its recipient's, and since when its recipient is doubted: a server said that there
-- is none, and had taken nothing else since that would make it believed.
ALTER TABLE delivery ADD COLUMN is_held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN doubted INTEGER;
CREATE INDEX delivery_held ON delivery (is_held) WHERE is_held = 1;
-- Why mail is held up.
ALTER TABLE mail_held_up ADD COLUMN reason TEXT NOT NULL DEFAULT '';
-- When a mail server last took mail for a list, and any mail, and why it refuses us while others take its mail.
CREATE TABLE mail_server (
    server    TEXT PRIMARY KEY,
    taken     INTEGER,
    taken_any INTEGER,
    trouble   TEXT
) STRICT;
-- The next free turn of a rate, by the clock of the machine in microseconds: of all mail, or of a recipient's domain.
CREATE TABLE mail_turn (
    what TEXT PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT;
