-- Traffic (traffic.db): written by the gateways' batches, read by usage figures, deleted by age.

CREATE TABLE call_record (
    id BLOB NOT NULL,
    at INTEGER NOT NULL,
    tenant_id BLOB,
    api_id BLOB,
    version_id BLOB,
    operation TEXT,
    plan_id BLOB,
    subscription_id BLOB,
    application_id BLOB,
    credential_id BLOB,
    source TEXT NOT NULL,
    node_id BLOB NOT NULL,
    snapshot_seq INTEGER NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    refusal TEXT,
    client TEXT,
    user_agent TEXT,
    target TEXT,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    upstream_us INTEGER NOT NULL,
    trace_id TEXT NOT NULL,
    complete INTEGER NOT NULL,
    PRIMARY KEY (id, at)
) STRICT;
CREATE INDEX call_record_tenant ON call_record (tenant_id, id);
CREATE INDEX call_record_application ON call_record (application_id, id);
CREATE INDEX call_record_api ON call_record (api_id, id);

CREATE TABLE usage_rollup (
    minute INTEGER NOT NULL,
    digest BLOB NOT NULL,
    tenant_id BLOB NOT NULL,
    api_id BLOB,
    version_id BLOB,
    operation TEXT,
    plan_id BLOB,
    subscription_id BLOB,
    application_id BLOB,
    credential_id BLOB,
    status INTEGER NOT NULL,
    source TEXT NOT NULL,
    requests INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    latency BLOB NOT NULL,
    PRIMARY KEY (minute, digest)
) STRICT;
CREATE INDEX usage_rollup_tenant ON usage_rollup (tenant_id, minute);
CREATE INDEX usage_rollup_application ON usage_rollup (application_id, minute);

-- Batches that were written, so that a batch that is sent again is not counted again.
CREATE TABLE traffic_batch (
    id BLOB NOT NULL PRIMARY KEY,
    written_at INTEGER NOT NULL
) STRICT;
CREATE INDEX traffic_batch_age ON traffic_batch (written_at);

-- Counters of limits, for gateways whose authority is this database. The state is opaque here.
CREATE TABLE lease_counter (
    limit_id BLOB NOT NULL,
    partition TEXT NOT NULL,
    state BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (limit_id, partition)
) STRICT;
CREATE INDEX lease_counter_age ON lease_counter (expires_at);
