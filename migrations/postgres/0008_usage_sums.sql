-- Usage added up ahead of time: for each whole hour and each whole day, all calls of a tenant and those of each API,
-- version, operation, plan, application, key and status. `subject` is nil and `label` empty where they say nothing.
CREATE TABLE usage_sum (
    tenant_id UUID NOT NULL,
    span TEXT NOT NULL CHECK (span IN ('hour', 'day')),
    kind TEXT NOT NULL CHECK (kind IN ('all', 'api', 'version', 'operation', 'plan', 'application', 'credential', 'status')),
    start BIGINT NOT NULL,
    subject UUID NOT NULL,
    label TEXT NOT NULL,
    requests BIGINT NOT NULL,
    sample BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    bytes_in BIGINT NOT NULL,
    bytes_out BIGINT NOT NULL,
    latency BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, span, kind, start, subject, label)
);
CREATE INDEX usage_sum_subject ON usage_sum (subject, label, span, start);
CREATE INDEX usage_sum_start ON usage_sum (start);

-- The hours and days that are added up. A rollup that comes late takes its hour and its day out again.
CREATE TABLE usage_fold (
    span TEXT NOT NULL CHECK (span IN ('hour', 'day')),
    start BIGINT NOT NULL,
    PRIMARY KEY (span, start)
);

CREATE INDEX usage_rollup_api ON usage_rollup (api_id, minute);

ALTER TABLE usage_sum ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_sum FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON usage_sum USING (
    current_setting('gatewright.role', true) = 'system'
    OR tenant_id = NULLIF(current_setting('gatewright.tenant', true), '')::uuid);
