-- What was uploaded to which bucket. The hash is that of the bytes that the object has; it is empty from before an upload until it
-- succeeded, when nobody knows. A file that is gone is still to be deleted there.
CREATE TABLE uploaded_file (
    destination TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    etag TEXT COLLATE "C" NOT NULL, -- as the store answered the upload
    is_gone BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (destination, path)
);

CREATE INDEX uploaded_file_gone ON uploaded_file (destination) WHERE is_gone = 1;
