-- The control store: everything that people change. Times are milliseconds since the epoch.
-- Composite keys carry the tenant, so that no row can point into another one.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row for the whole store: the order of all configuration changes.
CREATE TABLE change_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL
);
INSERT INTO change_head (id, seq) VALUES (1, 0);

CREATE TABLE tenant (
    id UUID PRIMARY KEY,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended')),
    settings JSONB NOT NULL,
    created_at BIGINT NOT NULL,
    row_version BIGINT NOT NULL
);
CREATE UNIQUE INDEX tenant_slug ON tenant (slug);

CREATE TABLE team (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenant (id),
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('provider', 'consumer', 'both')),
    contact TEXT,
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended')),
    created_at BIGINT NOT NULL,
    row_version BIGINT NOT NULL
);
CREATE UNIQUE INDEX team_identity ON team (tenant_id, id);
CREATE UNIQUE INDEX team_slug ON team (tenant_id, slug);

CREATE TABLE app_user (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenant (id),
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('invited', 'active', 'suspended')),
    platform_admin BOOLEAN NOT NULL,
    auth_epoch BIGINT NOT NULL,
    password_hash TEXT,
    created_at BIGINT NOT NULL,
    row_version BIGINT NOT NULL
);
CREATE UNIQUE INDEX app_user_identity ON app_user (tenant_id, id);
CREATE UNIQUE INDEX app_user_email ON app_user (tenant_id, email);

CREATE TABLE membership (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    team_id UUID,
    role TEXT NOT NULL CHECK (role IN ('owner', 'publisher', 'approver', 'developer', 'support', 'auditor')),
    created_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id),
    FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id)
);
CREATE UNIQUE INDEX membership_identity ON membership (tenant_id, id);
CREATE UNIQUE INDEX membership_in_team ON membership (user_id, team_id, role) WHERE team_id IS NOT NULL;
CREATE UNIQUE INDEX membership_in_tenant ON membership (user_id, role) WHERE team_id IS NULL;
CREATE INDEX membership_team ON membership (team_id);

CREATE TABLE management_token (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    name TEXT NOT NULL,
    scopes JSONB NOT NULL,
    hint_prefix TEXT NOT NULL,
    hint_last4 TEXT NOT NULL,
    hash BYTEA NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id)
);
CREATE UNIQUE INDEX management_token_identity ON management_token (tenant_id, id);
CREATE UNIQUE INDEX management_token_hash ON management_token (hash);

CREATE TABLE session (
    hash BYTEA PRIMARY KEY,
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    auth_epoch BIGINT NOT NULL,
    client TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id)
);
CREATE INDEX session_owner ON session (user_id);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE api (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenant (id),
    team_id UUID NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('rest', 'graphql', 'grpc', 'soap', 'ai', 'mcp')),
    visibility TEXT NOT NULL CHECK (visibility IN ('public', 'tenant', 'teams', 'private')),
    context_path TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    row_version BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id)
);
CREATE UNIQUE INDEX api_identity ON api (tenant_id, id);
CREATE UNIQUE INDEX api_slug ON api (tenant_id, slug);
CREATE UNIQUE INDEX api_context_path ON api (tenant_id, context_path);
CREATE INDEX api_team ON api (team_id);

-- Raw documents, gzip, once for each content in a tenant.
CREATE TABLE document (
    tenant_id UUID NOT NULL REFERENCES tenant (id),
    hash TEXT NOT NULL,
    body BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, hash)
);

CREATE TABLE api_version (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    api_id UUID NOT NULL,
    label TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'in_review', 'preview', 'published', 'blocked', 'deprecated', 'retired', 'archived')),
    blocked_reason TEXT,
    deprecated_at BIGINT,
    sunset_at BIGINT,
    successor_id UUID,
    deprecation_message TEXT,
    published_at BIGINT,
    retired_at BIGINT,
    revision_id UUID,
    unmatched TEXT NOT NULL CHECK (unmatched IN ('refuse', 'forward')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    row_version BIGINT NOT NULL,
    CHECK ((state = 'blocked') = (blocked_reason IS NOT NULL)),
    CHECK ((deprecated_at IS NULL) = (sunset_at IS NULL)),
    CHECK (deprecated_at IS NOT NULL OR (successor_id IS NULL AND deprecation_message IS NULL)),
    CHECK (state <> 'deprecated' OR deprecated_at IS NOT NULL),
    CHECK (state NOT IN ('draft', 'in_review') OR retired_at IS NULL),
    FOREIGN KEY (tenant_id, api_id) REFERENCES api (tenant_id, id)
);
CREATE UNIQUE INDEX api_version_identity ON api_version (tenant_id, id);
CREATE UNIQUE INDEX api_version_label ON api_version (api_id, label);
CREATE INDEX api_version_sunset ON api_version (sunset_at) WHERE state = 'deprecated';

CREATE TABLE revision (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    version_id UUID NOT NULL,
    number BIGINT NOT NULL CHECK (number > 0),
    format TEXT NOT NULL CHECK (format IN ('swagger_2_0', 'openapi_3_0', 'openapi_3_1')),
    document_hash TEXT NOT NULL,
    document_bytes BIGINT NOT NULL,
    title TEXT NOT NULL,
    operation_count BIGINT NOT NULL,
    created_by UUID,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, version_id) REFERENCES api_version (tenant_id, id),
    FOREIGN KEY (tenant_id, document_hash) REFERENCES document (tenant_id, hash),
    FOREIGN KEY (tenant_id, created_by) REFERENCES app_user (tenant_id, id)
);
CREATE UNIQUE INDEX revision_identity ON revision (tenant_id, id);
CREATE UNIQUE INDEX revision_number ON revision (version_id, number);
CREATE INDEX revision_document ON revision (tenant_id, document_hash);

CREATE TABLE operation (
    tenant_id UUID NOT NULL,
    revision_id UUID NOT NULL,
    position BIGINT NOT NULL,
    key TEXT NOT NULL,
    slug TEXT NOT NULL,
    method TEXT NOT NULL,
    template TEXT NOT NULL,
    summary TEXT NOT NULL,
    deprecated BOOLEAN NOT NULL,
    tags JSONB NOT NULL,
    pointer TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    routable BOOLEAN NOT NULL,
    PRIMARY KEY (revision_id, position),
    FOREIGN KEY (tenant_id, revision_id) REFERENCES revision (tenant_id, id)
);
CREATE UNIQUE INDEX operation_key ON operation (revision_id, key);
CREATE UNIQUE INDEX operation_slug ON operation (revision_id, slug);

CREATE TABLE upstream (
    version_id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('round_robin', 'least_connections')),
    connect_ms BIGINT NOT NULL CHECK (connect_ms > 0),
    response_ms BIGINT NOT NULL CHECK (response_ms > 0),
    idle_ms BIGINT NOT NULL CHECK (idle_ms > 0),
    FOREIGN KEY (tenant_id, version_id) REFERENCES api_version (tenant_id, id)
);

CREATE TABLE upstream_target (
    version_id UUID NOT NULL REFERENCES upstream (version_id),
    position BIGINT NOT NULL,
    tenant_id UUID NOT NULL,
    url TEXT NOT NULL,
    weight BIGINT NOT NULL CHECK (weight BETWEEN 0 AND 1000),
    PRIMARY KEY (version_id, position)
);

CREATE TABLE plan (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    api_id UUID NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'published', 'deprecated', 'closed')),
    security TEXT NOT NULL CHECK (security IN ('keyless', 'api_key')),
    approval TEXT NOT NULL CHECK (approval IN ('auto', 'manual')),
    covers_all BOOLEAN NOT NULL,
    current_version_id UUID NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    row_version BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, api_id) REFERENCES api (tenant_id, id)
);
CREATE UNIQUE INDEX plan_identity ON plan (tenant_id, id);
CREATE UNIQUE INDEX plan_slug ON plan (api_id, slug);

CREATE TABLE plan_coverage (
    plan_id UUID NOT NULL,
    position BIGINT NOT NULL,
    tenant_id UUID NOT NULL,
    version_id UUID NOT NULL,
    PRIMARY KEY (plan_id, position),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES plan (tenant_id, id),
    FOREIGN KEY (tenant_id, version_id) REFERENCES api_version (tenant_id, id)
);
CREATE UNIQUE INDEX plan_coverage_version ON plan_coverage (plan_id, version_id);

CREATE TABLE plan_version (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    plan_id UUID NOT NULL,
    number BIGINT NOT NULL CHECK (number > 0),
    created_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, plan_id) REFERENCES plan (tenant_id, id)
);
CREATE UNIQUE INDEX plan_version_identity ON plan_version (tenant_id, id);
CREATE UNIQUE INDEX plan_version_number ON plan_version (plan_id, number);

-- `id` is the limit's own and survives plan versions: counters belong to it.
CREATE TABLE plan_limit (
    plan_version_id UUID NOT NULL,
    position BIGINT NOT NULL,
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('rate', 'quota')),
    unit TEXT NOT NULL CHECK (unit IN ('requests')),
    amount BIGINT NOT NULL CHECK (amount > 0),
    span TEXT NOT NULL,
    burst BIGINT CHECK (burst > 0),
    reset TEXT NOT NULL CHECK (reset IN ('calendar', 'rolling')),
    zone TEXT NOT NULL,
    counted_by TEXT NOT NULL CHECK (counted_by IN ('subscription', 'application', 'ip')),
    on_exceed TEXT NOT NULL CHECK (on_exceed IN ('reject')),
    on_store_failure TEXT NOT NULL CHECK (on_store_failure IN ('open', 'closed', 'local')),
    PRIMARY KEY (plan_version_id, position),
    FOREIGN KEY (tenant_id, plan_version_id) REFERENCES plan_version (tenant_id, id)
);
CREATE UNIQUE INDEX plan_limit_id ON plan_limit (plan_version_id, id);
CREATE UNIQUE INDEX plan_limit_name ON plan_limit (plan_version_id, name);

-- `change_seq` is the number (change_head) of the last change that gateways have to see.
CREATE TABLE application (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    team_id UUID NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'archived')),
    archived_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    row_version BIGINT NOT NULL,
    change_seq BIGINT NOT NULL DEFAULT 0,
    CHECK ((state = 'archived') = (archived_at IS NOT NULL)),
    FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id)
);
CREATE UNIQUE INDEX application_identity ON application (tenant_id, id);
CREATE UNIQUE INDEX application_slug ON application (tenant_id, slug);
CREATE INDEX application_change ON application (change_seq, id);
CREATE INDEX application_team ON application (team_id);

CREATE TABLE subscription (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    application_id UUID NOT NULL,
    api_id UUID NOT NULL,
    plan_id UUID NOT NULL,
    plan_version_id UUID NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'closing', 'closed', 'rejected', 'withdrawn', 'expired')),
    paused BOOLEAN NOT NULL,
    request_note TEXT,
    reason TEXT,
    ends_at BIGINT,
    closing_at BIGINT,
    created_by UUID,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    row_version BIGINT NOT NULL,
    change_seq BIGINT NOT NULL DEFAULT 0,
    CHECK (state <> 'closing' OR closing_at IS NOT NULL),
    FOREIGN KEY (tenant_id, application_id) REFERENCES application (tenant_id, id),
    FOREIGN KEY (tenant_id, api_id) REFERENCES api (tenant_id, id),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES plan (tenant_id, id),
    FOREIGN KEY (tenant_id, plan_version_id) REFERENCES plan_version (tenant_id, id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES app_user (tenant_id, id)
);
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
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    application_id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('api_key')),
    name TEXT,
    hint_prefix TEXT NOT NULL,
    hint_last4 TEXT NOT NULL,
    hash BYTEA NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('scheduled', 'active', 'rotating', 'disabled', 'expired', 'revoked')),
    not_before BIGINT,
    expires_at BIGINT,
    grace_until BIGINT,
    replaced_by UUID,
    last_used_at BIGINT,
    revoked_reason TEXT,
    created_by UUID,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    row_version BIGINT NOT NULL,
    change_seq BIGINT NOT NULL DEFAULT 0,
    CHECK (state <> 'rotating' OR (grace_until IS NOT NULL AND replaced_by IS NOT NULL)),
    FOREIGN KEY (tenant_id, application_id) REFERENCES application (tenant_id, id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES app_user (tenant_id, id)
);
CREATE UNIQUE INDEX credential_identity ON credential (tenant_id, id);
CREATE UNIQUE INDEX credential_hash ON credential (hash);
CREATE INDEX credential_application ON credential (application_id, id);
CREATE INDEX credential_hint ON credential (tenant_id, hint_prefix);
CREATE INDEX credential_change ON credential (change_seq, id);
CREATE INDEX credential_starts ON credential (not_before) WHERE state = 'scheduled';
CREATE INDEX credential_expires ON credential (expires_at) WHERE state IN ('scheduled', 'active', 'rotating', 'disabled');
CREATE INDEX credential_grace ON credential (grace_until) WHERE state = 'rotating';

CREATE TABLE approval (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    team_id UUID NOT NULL,
    api_id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('subscribe', 'publish')),
    subscription_id UUID,
    version_id UUID,
    state TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'cancelled', 'expired')),
    requested_by UUID,
    note TEXT,
    due_at BIGINT NOT NULL,
    decided_by UUID,
    decided_at BIGINT,
    comment TEXT,
    created_at BIGINT NOT NULL,
    row_version BIGINT NOT NULL,
    CHECK ((subscription_id IS NULL) <> (version_id IS NULL)),
    CHECK ((kind = 'subscribe') = (subscription_id IS NOT NULL)),
    FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id),
    FOREIGN KEY (tenant_id, api_id) REFERENCES api (tenant_id, id),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id),
    FOREIGN KEY (tenant_id, version_id) REFERENCES api_version (tenant_id, id),
    FOREIGN KEY (tenant_id, requested_by) REFERENCES app_user (tenant_id, id),
    FOREIGN KEY (tenant_id, decided_by) REFERENCES app_user (tenant_id, id)
);
CREATE UNIQUE INDEX approval_identity ON approval (tenant_id, id);
CREATE UNIQUE INDEX approval_open_subscription ON approval (subscription_id) WHERE state = 'open' AND subscription_id IS NOT NULL;
CREATE UNIQUE INDEX approval_open_version ON approval (version_id) WHERE state = 'open' AND version_id IS NOT NULL;
CREATE INDEX approval_due ON approval (due_at) WHERE state = 'open';

-- Append-only; each event carries the hash of the tenant's one before it.
CREATE TABLE audit_event (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenant (id),
    seq BIGINT NOT NULL,
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    user_id UUID,
    token_id UUID,
    source TEXT NOT NULL CHECK (source IN ('api', 'ui', 'cli', 'system')),
    request_id TEXT,
    action TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    details JSONB NOT NULL,
    prev_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL
);
CREATE UNIQUE INDEX audit_event_identity ON audit_event (tenant_id, id);
CREATE UNIQUE INDEX audit_event_order ON audit_event (tenant_id, seq, position);
CREATE UNIQUE INDEX audit_event_chain ON audit_event (tenant_id, prev_hash);
CREATE INDEX audit_event_subject ON audit_event (tenant_id, subject_id, seq);

CREATE TABLE outbox (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenant (id),
    seq BIGINT NOT NULL,
    topic TEXT NOT NULL,
    payload JSONB NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    last_error TEXT
);
CREATE INDEX outbox_due ON outbox (due_at, id);

CREATE TABLE snapshot_part (
    hash BYTEA PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('tenant', 'api', 'version')),
    body BYTEA NOT NULL
);

-- The manifest at N: entries with seq <= N that were not superseded at or before N, but for removals (no hash).
CREATE TABLE snapshot_entry (
    kind TEXT NOT NULL CHECK (kind IN ('tenant', 'api', 'version')),
    key UUID NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA REFERENCES snapshot_part (hash),
    superseded_seq BIGINT,
    PRIMARY KEY (kind, key, seq)
);
CREATE UNIQUE INDEX snapshot_entry_current ON snapshot_entry (kind, key) WHERE superseded_seq IS NULL;
CREATE INDEX snapshot_entry_part ON snapshot_entry (hash);

CREATE TABLE config_snapshot (
    seq BIGINT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    cause TEXT NOT NULL,
    user_id UUID,
    changed BIGINT NOT NULL
);

CREATE TABLE gateway_node (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    roles JSONB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('starting', 'serving', 'draining', 'stopped')),
    applied_seq BIGINT NOT NULL,
    applied_delta_seq BIGINT NOT NULL,
    problem TEXT,
    started_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL
);
CREATE INDEX gateway_node_seen ON gateway_node (last_seen_at);

CREATE TABLE idempotency_key (
    tenant_id UUID NOT NULL REFERENCES tenant (id),
    principal TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash BYTEA NOT NULL,
    status BIGINT NOT NULL,
    location TEXT,
    body BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, principal, method, path, key)
);
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);

-- Foreign keys of tables that point at each other; checked at commit.
ALTER TABLE api_version ADD FOREIGN KEY (tenant_id, successor_id) REFERENCES api_version (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE api_version ADD FOREIGN KEY (tenant_id, revision_id) REFERENCES revision (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE plan ADD FOREIGN KEY (tenant_id, current_version_id) REFERENCES plan_version (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE credential ADD FOREIGN KEY (tenant_id, replaced_by) REFERENCES credential (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;

-- The trail only grows.
CREATE FUNCTION gatewright_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are append-only';
END
$$;
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION gatewright_audit_is_append_only();

-- The second guard of the walls between tenants. It holds for the owner of the tables too (FORCE);
-- `gatewright.tenant` and `gatewright.role` are set in the round trip of BEGIN.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['team', 'app_user', 'membership', 'management_token', 'session', 'api', 'document',
        'api_version', 'revision', 'operation', 'upstream', 'upstream_target', 'plan', 'plan_coverage', 'plan_version',
        'plan_limit', 'application', 'subscription', 'credential', 'approval', 'audit_event', 'outbox', 'idempotency_key']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format($policy$CREATE POLICY tenant_wall ON %I USING (
            current_setting('gatewright.role', true) = 'system'
            OR tenant_id = NULLIF(current_setting('gatewright.tenant', true), '')::uuid)$policy$, name);
    END LOOP;
END
$$;
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON tenant USING (
    current_setting('gatewright.role', true) = 'system'
    OR id = NULLIF(current_setting('gatewright.tenant', true), '')::uuid);
