-- The parts of normalised documents that pages load one by one. The key is the
-- SHA-256 of the part's pointer, which may be longer than an index takes.
CREATE TABLE document_part (
    tenant_id UUID NOT NULL,
    document_hash TEXT NOT NULL,
    key BYTEA NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, document_hash, key),
    FOREIGN KEY (tenant_id, document_hash) REFERENCES document (tenant_id, hash) ON DELETE CASCADE
);

ALTER TABLE document_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE document_part FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON document_part USING (
    current_setting('gatewright.role', true) = 'system'
    OR tenant_id = NULLIF(current_setting('gatewright.tenant', true), '')::uuid);
