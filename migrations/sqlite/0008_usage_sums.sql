-- Usage added up ahead of time: for each whole hour and each whole day, all calls of a tenant and those of each API,
-- version, operation, plan, application, key and status. `subject` is nil and `label` empty where they say nothing.
CREATE TABLE usage_sum (
    tenant_id BLOB NOT NULL,
    span TEXT NOT NULL CHECK (span IN ('hour', 'day')),
    kind TEXT NOT NULL CHECK (kind IN ('all', 'api', 'version', 'operation', 'plan', 'application', 'credential', 'status')),
    start INTEGER NOT NULL,
    subject BLOB NOT NULL,
    label TEXT NOT NULL,
    requests INTEGER NOT NULL,
    sample INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    latency BLOB NOT NULL,
    PRIMARY KEY (tenant_id, span, kind, start, subject, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_sum_subject ON usage_sum (subject, label, span, start);
CREATE INDEX usage_sum_start ON usage_sum (start);

-- The hours and days that are added up. A rollup that comes late takes its hour and its day out again.
CREATE TABLE usage_fold (
    span TEXT NOT NULL CHECK (span IN ('hour', 'day')),
    start INTEGER NOT NULL,
    PRIMARY KEY (span, start)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_rollup_api ON usage_rollup (api_id, minute);
