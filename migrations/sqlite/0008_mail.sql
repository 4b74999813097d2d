-- The language of an issue's words, for Content-Language; empty in issues of before.
ALTER TABLE issue ADD COLUMN language TEXT NOT NULL DEFAULT '';
