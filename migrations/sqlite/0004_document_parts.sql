-- The parts of normalised documents that pages load one by one. The key is the
-- SHA-256 of the part's pointer, which may be longer than an index takes.
CREATE TABLE document_part (
    tenant_id BLOB NOT NULL,
    document_hash TEXT NOT NULL,
    key BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant_id, document_hash, key),
    FOREIGN KEY (tenant_id, document_hash) REFERENCES document (tenant_id, hash) ON DELETE CASCADE
) STRICT;
