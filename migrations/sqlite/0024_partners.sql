-- What is looked at once a day outside of the installation: certificates, and records of the domain that mail is sent from.
CREATE TABLE outside_check (
    subject TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    looked  INTEGER NOT NULL,
    begins  INTEGER, -- of a certificate, when it holds; of a record, when it was first found and last
    ends    INTEGER,
    fault   TEXT NOT NULL -- what is wrong with a record now; empty is nothing
) STRICT;

-- Whose stories were shown in an issue: how many people a partner's reached is counted by it.
CREATE TABLE issue_partner (
    partner TEXT NOT NULL,
    issue   INTEGER NOT NULL REFERENCES issue (pk) ON DELETE CASCADE,
    PRIMARY KEY (partner, issue)
) STRICT, WITHOUT ROWID;

CREATE INDEX issue_partner_issue ON issue_partner (issue);

-- Which link to their page a partner has: with each new one, those before are void.
CREATE TABLE partner_link (
    partner  TEXT PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last month (counted since year 0) whose report a partner was sent.
CREATE TABLE partner_report (
    partner TEXT PRIMARY KEY,
    month   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What partners propose, until an operator accepts or declines it.
CREATE TABLE proposal (
    pk       INTEGER PRIMARY KEY,
    partner  TEXT NOT NULL,
    kind     TEXT NOT NULL, -- a source, or a correction
    text     TEXT NOT NULL, -- its address, or what is wrong
    entry    INTEGER, -- what a correction is about, and its title
    title    TEXT NOT NULL,
    created  INTEGER NOT NULL,
    decided  INTEGER,
    accepted INTEGER NOT NULL DEFAULT 0,
    who      TEXT -- decided
) STRICT;

CREATE INDEX proposal_partner ON proposal (partner, pk);
CREATE INDEX proposal_open ON proposal (pk) WHERE decided IS NULL;
CREATE INDEX proposal_decided ON proposal (decided);
