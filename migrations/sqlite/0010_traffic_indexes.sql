-- Calls with one status, newest first.
CREATE INDEX call_record_status ON call_record (tenant_id, status, id);

-- What a team sees are calls of its applications and calls to its APIs, each call once: the other id in the index says
-- which rows need not be read.
DROP INDEX usage_rollup_application;
CREATE INDEX usage_rollup_application ON usage_rollup (application_id, minute, api_id);
DROP INDEX usage_rollup_api;
CREATE INDEX usage_rollup_api ON usage_rollup (api_id, minute, application_id);

-- How selective the indexes of a large installation are: fixed figures, so that the ways in which tables are read do not
-- depend on when they were counted. Without them SQLite takes a tenant for as good a key as any other.
-- Each row: the rows of the table, then how many have the same first column, the same first two, and so on.
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('call_record', 'sqlite_autoindex_call_record_1', '1000000 1 1'),
    ('call_record', 'call_record_tenant', '1000000 500000 1'),
    ('call_record', 'call_record_application', '1000000 100 1'),
    ('call_record', 'call_record_api', '1000000 200 1'),
    ('call_record', 'call_record_status', '1000000 500000 50000 1'),
    ('usage_rollup', 'sqlite_autoindex_usage_rollup_1', '1000000 200 1'),
    ('usage_rollup', 'usage_rollup_tenant', '1000000 500000 100'),
    ('usage_rollup', 'usage_rollup_application', '1000000 100 2 1'),
    ('usage_rollup', 'usage_rollup_api', '1000000 200 2 1'),
    ('usage_sum', 'usage_sum', '5000000 2500000 1500000 200000 3000 1 1'),
    ('usage_sum', 'usage_sum_subject', '5000000 100 100 50 1'),
    ('usage_sum', 'usage_sum_start', '5000000 20000');

ANALYZE sqlite_schema;
