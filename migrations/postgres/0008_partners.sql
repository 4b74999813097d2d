-- What is looked at once a day outside of the installation: certificates, and records of the domain that mail is sent from.
CREATE TABLE outside_check (
    subject TEXT COLLATE "C" PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    looked BIGINT NOT NULL,
    begins BIGINT, -- of a certificate, when it holds; of a record, when it was first found and last
    ends BIGINT,
    fault TEXT COLLATE "C" NOT NULL -- what is wrong with a record now; empty is nothing
);

-- Whose stories were shown in an issue: how many people a partner's reached is counted by it.
CREATE TABLE issue_partner (
    partner TEXT COLLATE "C" NOT NULL,
    issue BIGINT NOT NULL REFERENCES issue (pk) ON DELETE CASCADE,
    PRIMARY KEY (partner, issue)
);

CREATE INDEX issue_partner_issue ON issue_partner (issue);

-- Which link to their page a partner has: with each new one, those before are void.
CREATE TABLE partner_link (
    partner TEXT COLLATE "C" PRIMARY KEY,
    revision BIGINT NOT NULL
);

-- The last month (counted since year 0) whose report a partner was sent.
CREATE TABLE partner_report (
    partner TEXT COLLATE "C" PRIMARY KEY,
    month BIGINT NOT NULL
);

-- What partners propose, until an operator accepts or declines it.
CREATE TABLE proposal (
    pk BIGINT PRIMARY KEY,
    partner TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL, -- a source, or a correction
    text TEXT COLLATE "C" NOT NULL, -- its address, or what is wrong
    entry BIGINT, -- what a correction is about, and its title
    title TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    decided BIGINT,
    accepted BIGINT NOT NULL DEFAULT 0,
    who TEXT COLLATE "C" -- decided
);

CREATE INDEX proposal_partner ON proposal (partner, pk);
CREATE INDEX proposal_open ON proposal (pk) WHERE decided IS NULL;
CREATE INDEX proposal_decided ON proposal (decided);
