-- In how many texts each group of four letters stands: what tells how much it means that two texts in different languages share one.
CREATE TABLE gram_counts (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    counts BLOB NOT NULL -- the number of texts, and 8192 counts of two bytes
) STRICT;
