-- Traffic: written by the gateways' batches, read by usage figures, deleted by age.

CREATE TABLE call_record (
    id UUID NOT NULL,
    at BIGINT NOT NULL,
    tenant_id UUID,
    api_id UUID,
    version_id UUID,
    operation TEXT,
    plan_id UUID,
    subscription_id UUID,
    application_id UUID,
    credential_id UUID,
    source TEXT NOT NULL,
    node_id UUID NOT NULL,
    snapshot_seq BIGINT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status BIGINT NOT NULL,
    refusal TEXT,
    client TEXT,
    user_agent TEXT,
    target TEXT,
    bytes_in BIGINT NOT NULL,
    bytes_out BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    upstream_us BIGINT NOT NULL,
    trace_id TEXT NOT NULL,
    complete BOOLEAN NOT NULL,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE INDEX call_record_tenant ON call_record (tenant_id, id);
CREATE INDEX call_record_application ON call_record (application_id, id);
CREATE INDEX call_record_api ON call_record (api_id, id);

CREATE TABLE usage_rollup (
    minute BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    tenant_id UUID NOT NULL,
    api_id UUID,
    version_id UUID,
    operation TEXT,
    plan_id UUID,
    subscription_id UUID,
    application_id UUID,
    credential_id UUID,
    status BIGINT NOT NULL,
    source TEXT NOT NULL,
    requests BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    bytes_in BIGINT NOT NULL,
    bytes_out BIGINT NOT NULL,
    latency BYTEA NOT NULL,
    PRIMARY KEY (minute, digest)
);
CREATE INDEX usage_rollup_tenant ON usage_rollup (tenant_id, minute);
CREATE INDEX usage_rollup_application ON usage_rollup (application_id, minute);

-- Batches that were written, so that a batch that is sent again is not counted again.
CREATE TABLE traffic_batch (
    id UUID PRIMARY KEY,
    written_at BIGINT NOT NULL
);
CREATE INDEX traffic_batch_age ON traffic_batch (written_at);

-- Counters of limits, for gateways whose authority is this database. The state is opaque here.
CREATE TABLE lease_counter (
    limit_id UUID NOT NULL,
    partition TEXT NOT NULL,
    state BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (limit_id, partition)
);
CREATE INDEX lease_counter_age ON lease_counter (expires_at);

-- Call records live in one partition for each UTC day, named call_record_<day since the epoch>.
-- The owner's rights, because the role that writes records owns no table.
CREATE FUNCTION gatewright_add_call_day(day BIGINT) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF to_regclass('call_record_' || day) IS NULL THEN
        PERFORM pg_advisory_xact_lock(71846123);
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF call_record FOR VALUES FROM (%s) TO (%s)',
            'call_record_' || day, day * 86400000, (day + 1) * 86400000);
    END IF;
END
$$;

-- Drops the days that lie wholly before the given time and says how many there were.
CREATE FUNCTION gatewright_drop_call_days(before BIGINT) RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    day RECORD;
    dropped BIGINT := 0;
BEGIN
    FOR day IN
        SELECT child.relname AS name FROM pg_inherits
        JOIN pg_class child ON child.oid = pg_inherits.inhrelid
        WHERE pg_inherits.inhparent = 'call_record'::regclass
    LOOP
        IF (replace(day.name, 'call_record_', '')::bigint + 1) * 86400000 <= before THEN
            EXECUTE format('DROP TABLE %I', day.name);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END
$$;

ALTER TABLE call_record ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_record FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON call_record USING (
    current_setting('gatewright.role', true) = 'system'
    OR tenant_id = NULLIF(current_setting('gatewright.tenant', true), '')::uuid);
ALTER TABLE usage_rollup ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_rollup FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON usage_rollup USING (
    current_setting('gatewright.role', true) = 'system'
    OR tenant_id = NULLIF(current_setting('gatewright.tenant', true), '')::uuid);
