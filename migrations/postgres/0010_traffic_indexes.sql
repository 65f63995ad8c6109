-- Calls with one status, newest first.
CREATE INDEX call_record_status ON call_record (tenant_id, status, id);

-- What a team sees are calls of its applications and calls to its APIs, each call once: the other id in the index says
-- which rows need not be read.
DROP INDEX usage_rollup_application;
CREATE INDEX usage_rollup_application ON usage_rollup (application_id, minute, api_id);
DROP INDEX usage_rollup_api;
CREATE INDEX usage_rollup_api ON usage_rollup (api_id, minute, application_id);
