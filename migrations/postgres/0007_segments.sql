-- What the operator notes of a subscriber, by which segments select: a list and an object of JSON.
ALTER TABLE subscriber ADD COLUMN tags TEXT COLLATE "C" NOT NULL DEFAULT '[]';
ALTER TABLE subscriber ADD COLUMN attributes TEXT COLLATE "C" NOT NULL DEFAULT '{}';

-- When they last said by themselves that they want the newsletter, after their consent; and since when the question whether they still
-- do is open.
ALTER TABLE subscriber ADD COLUMN confirmed_at BIGINT;
ALTER TABLE subscriber ADD COLUMN asked_at BIGINT;

CREATE INDEX subscriber_confirmed ON subscriber (coalesce(confirmed_at, consent_at)) WHERE state = 'active' AND asked_at IS NULL;
CREATE INDEX subscriber_asked ON subscriber (asked_at) WHERE state = 'active' AND asked_at IS NOT NULL;

-- Mails that somebody wrote for a part of the list, each sent once.
CREATE TABLE campaign (
    pk BIGINT PRIMARY KEY,
    hash TEXT COLLATE "C" NOT NULL, -- of the file
    subject TEXT COLLATE "C" NOT NULL,
    selection TEXT COLLATE "C" NOT NULL, -- for whom
    source TEXT COLLATE "C" NOT NULL, -- the file
    state TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    at BIGINT NOT NULL, -- not before
    issue BIGINT REFERENCES issue (pk), -- once it was begun
    last BIGINT NOT NULL DEFAULT 0, -- the last subscriber considered
    recipients BIGINT NOT NULL DEFAULT 0, -- those who were chosen so far
    ended BIGINT -- when all were considered, or it was cancelled
);

CREATE INDEX campaign_open ON campaign (at) WHERE ended IS NULL;
CREATE INDEX campaign_hash ON campaign (hash);
CREATE INDEX campaign_issue ON campaign (issue);
