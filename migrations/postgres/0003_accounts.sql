-- Accounts: sessions with an id and an address, who asks for an account, links with one-time secrets,
-- and how often a password was tried.

-- No earlier program began a session.
DROP TABLE session;
CREATE TABLE session (
    id UUID PRIMARY KEY,
    hash BYTEA NOT NULL,
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    auth_epoch BIGINT NOT NULL,
    client TEXT NOT NULL,
    address TEXT,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id)
);
CREATE UNIQUE INDEX session_hash ON session (hash);
CREATE INDEX session_owner ON session (user_id);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE sign_up (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenant (id),
    email TEXT NOT NULL,
    email_verified BOOLEAN NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'rejected')),
    password_hash TEXT,
    decided_by UUID,
    decided_at BIGINT,
    user_id UUID,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, decided_by) REFERENCES app_user (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id)
);
CREATE UNIQUE INDEX sign_up_waiting ON sign_up (tenant_id, email) WHERE state = 'waiting';

CREATE TABLE account_link (
    hash BYTEA PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenant (id),
    purpose TEXT NOT NULL CHECK (purpose IN ('invite', 'reset', 'verify')),
    user_id UUID,
    email TEXT NOT NULL,
    name TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id)
);
CREATE INDEX account_link_subject ON account_link (tenant_id, email, purpose);
CREATE INDEX account_link_expiry ON account_link (expires_at);

-- Keys are keyed hashes of accounts and addresses, so that nobody reads here who tried to sign in.
CREATE TABLE attempt (
    key BYTEA PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    blocked_until BIGINT NOT NULL
);
CREATE INDEX attempt_age ON attempt (last_at);

DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['session', 'sign_up', 'account_link']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format($policy$CREATE POLICY tenant_wall ON %I USING (
            current_setting('gatewright.role', true) = 'system'
            OR tenant_id = NULLIF(current_setting('gatewright.tenant', true), '')::uuid)$policy$, name);
    END LOOP;
END
$$;
