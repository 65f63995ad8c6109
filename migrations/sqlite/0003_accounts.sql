-- Accounts: sessions with an id and an address, who asks for an account, links with one-time secrets,
-- and how often a password was tried.

-- No earlier program began a session.
DROP TABLE session;
CREATE TABLE session (
    id BLOB NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL,
    tenant_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    auth_epoch INTEGER NOT NULL,
    client TEXT NOT NULL,
    address TEXT,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX session_hash ON session (hash);
CREATE INDEX session_owner ON session (user_id);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE sign_up (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL REFERENCES tenant (id),
    email TEXT NOT NULL,
    email_verified INTEGER NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'rejected')),
    password_hash TEXT,
    decided_by BLOB,
    decided_at INTEGER,
    user_id BLOB,
    created_at INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, decided_by) REFERENCES app_user (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX sign_up_waiting ON sign_up (tenant_id, email) WHERE state = 'waiting';

CREATE TABLE account_link (
    hash BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL REFERENCES tenant (id),
    purpose TEXT NOT NULL CHECK (purpose IN ('invite', 'reset', 'verify')),
    user_id BLOB,
    email TEXT NOT NULL,
    name TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id)
) STRICT;
CREATE INDEX account_link_subject ON account_link (tenant_id, email, purpose);
CREATE INDEX account_link_expiry ON account_link (expires_at);

-- Keys are keyed hashes of accounts and addresses, so that nobody reads here who tried to sign in.
CREATE TABLE attempt (
    key BLOB NOT NULL PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL
) STRICT;
CREATE INDEX attempt_age ON attempt (last_at);
