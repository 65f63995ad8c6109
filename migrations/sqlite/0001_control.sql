-- The control store (control.db): everything that people change. Times are milliseconds since the epoch.
-- Composite keys carry the tenant, so that no row can point into another one.

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- One row for the whole store: the order of all configuration changes.
CREATE TABLE change_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO change_head (id, seq) VALUES (1, 0);

CREATE TABLE tenant (
    id BLOB NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended')),
    settings TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    row_version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tenant_slug ON tenant (slug);

CREATE TABLE team (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL REFERENCES tenant (id),
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('provider', 'consumer', 'both')),
    contact TEXT,
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended')),
    created_at INTEGER NOT NULL,
    row_version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX team_identity ON team (tenant_id, id);
CREATE UNIQUE INDEX team_slug ON team (tenant_id, slug);

CREATE TABLE app_user (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL REFERENCES tenant (id),
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('invited', 'active', 'suspended')),
    platform_admin INTEGER NOT NULL,
    auth_epoch INTEGER NOT NULL,
    password_hash TEXT,
    created_at INTEGER NOT NULL,
    row_version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX app_user_identity ON app_user (tenant_id, id);
CREATE UNIQUE INDEX app_user_email ON app_user (tenant_id, email);

CREATE TABLE membership (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    team_id BLOB,
    role TEXT NOT NULL CHECK (role IN ('owner', 'publisher', 'approver', 'developer', 'support', 'auditor')),
    created_at INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id),
    FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX membership_identity ON membership (tenant_id, id);
CREATE UNIQUE INDEX membership_in_team ON membership (user_id, team_id, role) WHERE team_id IS NOT NULL;
CREATE UNIQUE INDEX membership_in_tenant ON membership (user_id, role) WHERE team_id IS NULL;
CREATE INDEX membership_team ON membership (team_id);

CREATE TABLE management_token (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    hint_prefix TEXT NOT NULL,
    hint_last4 TEXT NOT NULL,
    hash BLOB NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER,
    created_at INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX management_token_identity ON management_token (tenant_id, id);
CREATE UNIQUE INDEX management_token_hash ON management_token (hash);

CREATE TABLE session (
    hash BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    auth_epoch INTEGER NOT NULL,
    client TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id)
) STRICT;
CREATE INDEX session_owner ON session (user_id);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE api (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL REFERENCES tenant (id),
    team_id BLOB NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('rest', 'graphql', 'grpc', 'soap', 'ai', 'mcp')),
    visibility TEXT NOT NULL CHECK (visibility IN ('public', 'tenant', 'teams', 'private')),
    context_path TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    row_version INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX api_identity ON api (tenant_id, id);
CREATE UNIQUE INDEX api_slug ON api (tenant_id, slug);
CREATE UNIQUE INDEX api_context_path ON api (tenant_id, context_path);
CREATE INDEX api_team ON api (team_id);

-- Raw documents, gzip, once for each content in a tenant.
CREATE TABLE document (
    tenant_id BLOB NOT NULL REFERENCES tenant (id),
    hash TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, hash)
) STRICT;

CREATE TABLE api_version (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    api_id BLOB NOT NULL,
    label TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'in_review', 'preview', 'published', 'blocked', 'deprecated', 'retired', 'archived')),
    blocked_reason TEXT,
    deprecated_at INTEGER,
    sunset_at INTEGER,
    successor_id BLOB,
    deprecation_message TEXT,
    published_at INTEGER,
    retired_at INTEGER,
    revision_id BLOB,
    unmatched TEXT NOT NULL CHECK (unmatched IN ('refuse', 'forward')),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    row_version INTEGER NOT NULL,
    CHECK ((state = 'blocked') = (blocked_reason IS NOT NULL)),
    CHECK ((deprecated_at IS NULL) = (sunset_at IS NULL)),
    CHECK (deprecated_at IS NOT NULL OR (successor_id IS NULL AND deprecation_message IS NULL)),
    CHECK (state <> 'deprecated' OR deprecated_at IS NOT NULL),
    CHECK (state NOT IN ('draft', 'in_review') OR retired_at IS NULL),
    FOREIGN KEY (tenant_id, api_id) REFERENCES api (tenant_id, id),
    FOREIGN KEY (tenant_id, successor_id) REFERENCES api_version (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, revision_id) REFERENCES revision (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE UNIQUE INDEX api_version_identity ON api_version (tenant_id, id);
CREATE UNIQUE INDEX api_version_label ON api_version (api_id, label);
CREATE INDEX api_version_sunset ON api_version (sunset_at) WHERE state = 'deprecated';

CREATE TABLE revision (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    version_id BLOB NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    format TEXT NOT NULL CHECK (format IN ('swagger_2_0', 'openapi_3_0', 'openapi_3_1')),
    document_hash TEXT NOT NULL,
    document_bytes INTEGER NOT NULL,
    title TEXT NOT NULL,
    operation_count INTEGER NOT NULL,
    created_by BLOB,
    created_at INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, version_id) REFERENCES api_version (tenant_id, id),
    FOREIGN KEY (tenant_id, document_hash) REFERENCES document (tenant_id, hash),
    FOREIGN KEY (tenant_id, created_by) REFERENCES app_user (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX revision_identity ON revision (tenant_id, id);
CREATE UNIQUE INDEX revision_number ON revision (version_id, number);
CREATE INDEX revision_document ON revision (tenant_id, document_hash);

CREATE TABLE operation (
    tenant_id BLOB NOT NULL,
    revision_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    slug TEXT NOT NULL,
    method TEXT NOT NULL,
    template TEXT NOT NULL,
    summary TEXT NOT NULL,
    deprecated INTEGER NOT NULL,
    tags TEXT NOT NULL,
    pointer TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    routable INTEGER NOT NULL,
    PRIMARY KEY (revision_id, position),
    FOREIGN KEY (tenant_id, revision_id) REFERENCES revision (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX operation_key ON operation (revision_id, key);
CREATE UNIQUE INDEX operation_slug ON operation (revision_id, slug);

CREATE TABLE upstream (
    version_id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('round_robin', 'least_connections')),
    connect_ms INTEGER NOT NULL CHECK (connect_ms > 0),
    response_ms INTEGER NOT NULL CHECK (response_ms > 0),
    idle_ms INTEGER NOT NULL CHECK (idle_ms > 0),
    FOREIGN KEY (tenant_id, version_id) REFERENCES api_version (tenant_id, id)
) STRICT;

CREATE TABLE upstream_target (
    version_id BLOB NOT NULL REFERENCES upstream (version_id),
    position INTEGER NOT NULL,
    tenant_id BLOB NOT NULL,
    url TEXT NOT NULL,
    weight INTEGER NOT NULL CHECK (weight BETWEEN 0 AND 1000),
    PRIMARY KEY (version_id, position)
) STRICT;

CREATE TABLE plan (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    api_id BLOB NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'published', 'deprecated', 'closed')),
    security TEXT NOT NULL CHECK (security IN ('keyless', 'api_key')),
    approval TEXT NOT NULL CHECK (approval IN ('auto', 'manual')),
    covers_all INTEGER NOT NULL,
    current_version_id BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    row_version INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, api_id) REFERENCES api (tenant_id, id),
    FOREIGN KEY (tenant_id, current_version_id) REFERENCES plan_version (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE UNIQUE INDEX plan_identity ON plan (tenant_id, id);
CREATE UNIQUE INDEX plan_slug ON plan (api_id, slug);

CREATE TABLE plan_coverage (
    plan_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    tenant_id BLOB NOT NULL,
    version_id BLOB NOT NULL,
    PRIMARY KEY (plan_id, position),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES plan (tenant_id, id),
    FOREIGN KEY (tenant_id, version_id) REFERENCES api_version (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX plan_coverage_version ON plan_coverage (plan_id, version_id);

CREATE TABLE plan_version (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    plan_id BLOB NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    created_at INTEGER NOT NULL,
    FOREIGN KEY (tenant_id, plan_id) REFERENCES plan (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX plan_version_identity ON plan_version (tenant_id, id);
CREATE UNIQUE INDEX plan_version_number ON plan_version (plan_id, number);

-- `id` is the limit's own and survives plan versions: counters belong to it.
CREATE TABLE plan_limit (
    plan_version_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    tenant_id BLOB NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('rate', 'quota')),
    unit TEXT NOT NULL CHECK (unit IN ('requests')),
    amount INTEGER NOT NULL CHECK (amount > 0),
    span TEXT NOT NULL,
    burst INTEGER CHECK (burst > 0),
    reset TEXT NOT NULL CHECK (reset IN ('calendar', 'rolling')),
    zone TEXT NOT NULL,
    counted_by TEXT NOT NULL CHECK (counted_by IN ('subscription', 'application', 'ip')),
    on_exceed TEXT NOT NULL CHECK (on_exceed IN ('reject')),
    on_store_failure TEXT NOT NULL CHECK (on_store_failure IN ('open', 'closed', 'local')),
    PRIMARY KEY (plan_version_id, position),
    FOREIGN KEY (tenant_id, plan_version_id) REFERENCES plan_version (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX plan_limit_id ON plan_limit (plan_version_id, id);
CREATE UNIQUE INDEX plan_limit_name ON plan_limit (plan_version_id, name);

-- `change_seq` is the number (change_head) of the last change that gateways have to see.
CREATE TABLE application (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    team_id BLOB NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'archived')),
    archived_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    row_version INTEGER NOT NULL,
    change_seq INTEGER NOT NULL DEFAULT 0,
    CHECK ((state = 'archived') = (archived_at IS NOT NULL)),
    FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX application_identity ON application (tenant_id, id);
CREATE UNIQUE INDEX application_slug ON application (tenant_id, slug);
CREATE INDEX application_change ON application (change_seq, id);
CREATE INDEX application_team ON application (team_id);

CREATE TABLE subscription (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    application_id BLOB NOT NULL,
    api_id BLOB NOT NULL,
    plan_id BLOB NOT NULL,
    plan_version_id BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'closing', 'closed', 'rejected', 'withdrawn', 'expired')),
    paused INTEGER NOT NULL,
    request_note TEXT,
    reason TEXT,
    ends_at INTEGER,
    closing_at INTEGER,
    created_by BLOB,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    row_version INTEGER NOT NULL,
    change_seq INTEGER NOT NULL DEFAULT 0,
    CHECK (state <> 'closing' OR closing_at IS NOT NULL),
    FOREIGN KEY (tenant_id, application_id) REFERENCES application (tenant_id, id),
    FOREIGN KEY (tenant_id, api_id) REFERENCES api (tenant_id, id),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES plan (tenant_id, id),
    FOREIGN KEY (tenant_id, plan_version_id) REFERENCES plan_version (tenant_id, id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES app_user (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX subscription_identity ON subscription (tenant_id, id);
CREATE UNIQUE INDEX subscription_live ON subscription (application_id, plan_id)
    WHERE state IN ('pending', 'active', 'suspended', 'closing');
CREATE INDEX subscription_application ON subscription (application_id, id);
CREATE INDEX subscription_plan ON subscription (plan_id, id);
CREATE INDEX subscription_api ON subscription (api_id, id);
CREATE INDEX subscription_change ON subscription (change_seq, id);
CREATE INDEX subscription_ends ON subscription (ends_at) WHERE state IN ('active', 'suspended');
CREATE INDEX subscription_closes ON subscription (closing_at) WHERE state = 'closing';

CREATE TABLE credential (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    application_id BLOB NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('api_key')),
    name TEXT,
    hint_prefix TEXT NOT NULL,
    hint_last4 TEXT NOT NULL,
    hash BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('scheduled', 'active', 'rotating', 'disabled', 'expired', 'revoked')),
    not_before INTEGER,
    expires_at INTEGER,
    grace_until INTEGER,
    replaced_by BLOB,
    last_used_at INTEGER,
    revoked_reason TEXT,
    created_by BLOB,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    row_version INTEGER NOT NULL,
    change_seq INTEGER NOT NULL DEFAULT 0,
    CHECK (state <> 'rotating' OR (grace_until IS NOT NULL AND replaced_by IS NOT NULL)),
    FOREIGN KEY (tenant_id, application_id) REFERENCES application (tenant_id, id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES app_user (tenant_id, id),
    FOREIGN KEY (tenant_id, replaced_by) REFERENCES credential (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE UNIQUE INDEX credential_identity ON credential (tenant_id, id);
CREATE UNIQUE INDEX credential_hash ON credential (hash);
CREATE INDEX credential_application ON credential (application_id, id);
CREATE INDEX credential_hint ON credential (tenant_id, hint_prefix);
CREATE INDEX credential_change ON credential (change_seq, id);
CREATE INDEX credential_starts ON credential (not_before) WHERE state = 'scheduled';
CREATE INDEX credential_expires ON credential (expires_at) WHERE state IN ('scheduled', 'active', 'rotating', 'disabled');
CREATE INDEX credential_grace ON credential (grace_until) WHERE state = 'rotating';

CREATE TABLE approval (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL,
    team_id BLOB NOT NULL,
    api_id BLOB NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('subscribe', 'publish')),
    subscription_id BLOB,
    version_id BLOB,
    state TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'cancelled', 'expired')),
    requested_by BLOB,
    note TEXT,
    due_at INTEGER NOT NULL,
    decided_by BLOB,
    decided_at INTEGER,
    comment TEXT,
    created_at INTEGER NOT NULL,
    row_version INTEGER NOT NULL,
    CHECK ((subscription_id IS NULL) <> (version_id IS NULL)),
    CHECK ((kind = 'subscribe') = (subscription_id IS NOT NULL)),
    FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id),
    FOREIGN KEY (tenant_id, api_id) REFERENCES api (tenant_id, id),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id),
    FOREIGN KEY (tenant_id, version_id) REFERENCES api_version (tenant_id, id),
    FOREIGN KEY (tenant_id, requested_by) REFERENCES app_user (tenant_id, id),
    FOREIGN KEY (tenant_id, decided_by) REFERENCES app_user (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX approval_identity ON approval (tenant_id, id);
CREATE UNIQUE INDEX approval_open_subscription ON approval (subscription_id) WHERE state = 'open' AND subscription_id IS NOT NULL;
CREATE UNIQUE INDEX approval_open_version ON approval (version_id) WHERE state = 'open' AND version_id IS NOT NULL;
CREATE INDEX approval_due ON approval (due_at) WHERE state = 'open';

-- Append-only; each event carries the hash of the tenant's one before it.
CREATE TABLE audit_event (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL REFERENCES tenant (id),
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    user_id BLOB,
    token_id BLOB,
    source TEXT NOT NULL CHECK (source IN ('api', 'ui', 'cli', 'system')),
    request_id TEXT,
    action TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    details TEXT NOT NULL,
    prev_hash BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX audit_event_identity ON audit_event (tenant_id, id);
CREATE UNIQUE INDEX audit_event_order ON audit_event (tenant_id, seq, position);
CREATE UNIQUE INDEX audit_event_chain ON audit_event (tenant_id, prev_hash);
CREATE INDEX audit_event_subject ON audit_event (tenant_id, subject_id, seq);

CREATE TABLE outbox (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL REFERENCES tenant (id),
    seq INTEGER NOT NULL,
    topic TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    last_error TEXT
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at, id);

CREATE TABLE snapshot_part (
    hash BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('tenant', 'api', 'version')),
    body BLOB NOT NULL
) STRICT;

-- The manifest at N: entries with seq <= N that were not superseded at or before N, but for removals (no hash).
CREATE TABLE snapshot_entry (
    kind TEXT NOT NULL CHECK (kind IN ('tenant', 'api', 'version')),
    key BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB REFERENCES snapshot_part (hash),
    superseded_seq INTEGER,
    PRIMARY KEY (kind, key, seq)
) STRICT;
CREATE UNIQUE INDEX snapshot_entry_current ON snapshot_entry (kind, key) WHERE superseded_seq IS NULL;
CREATE INDEX snapshot_entry_part ON snapshot_entry (hash);

CREATE TABLE config_snapshot (
    seq INTEGER NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    cause TEXT NOT NULL,
    user_id BLOB,
    changed INTEGER NOT NULL
) STRICT;

CREATE TABLE gateway_node (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    roles TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('starting', 'serving', 'draining', 'stopped')),
    applied_seq INTEGER NOT NULL,
    applied_delta_seq INTEGER NOT NULL,
    problem TEXT,
    started_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX gateway_node_seen ON gateway_node (last_seen_at);

CREATE TABLE idempotency_key (
    tenant_id BLOB NOT NULL REFERENCES tenant (id),
    principal TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash BLOB NOT NULL,
    status INTEGER NOT NULL,
    location TEXT,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, principal, method, path, key)
) STRICT;
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);

-- The trail only grows.
CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'audit events are append-only');
END;
CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'audit events are append-only');
END;
