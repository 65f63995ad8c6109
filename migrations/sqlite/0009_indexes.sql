-- The trail of one thing, of one kind of thing, of one action and of one person, newest first: ids are in the order of time.
DROP INDEX audit_event_subject;
CREATE INDEX audit_event_subject ON audit_event (tenant_id, subject_id, id);
CREATE INDEX audit_event_kind ON audit_event (tenant_id, subject_kind, id);
CREATE INDEX audit_event_action ON audit_event (tenant_id, action, id);
CREATE INDEX audit_event_user ON audit_event (tenant_id, user_id, id);

-- How selective the indexes of a large installation are: fixed figures, so that the ways in which tables are read do not
-- depend on when they were counted. Without them SQLite takes a tenant for as good a key as any other.
-- Each row: the rows of the table, then how many have the same first column, the same first two, and so on.
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('team', 'sqlite_autoindex_team_1', '1000 1'),
    ('team', 'team_identity', '1000 500 1'),
    ('team', 'team_slug', '1000 500 1'),
    ('app_user', 'sqlite_autoindex_app_user_1', '10000 1'),
    ('app_user', 'app_user_identity', '10000 5000 1'),
    ('app_user', 'app_user_email', '10000 5000 1'),
    ('api', 'sqlite_autoindex_api_1', '10000 1'),
    ('api', 'api_identity', '10000 5000 1'),
    ('api', 'api_slug', '10000 5000 1'),
    ('api', 'api_context_path', '10000 5000 1'),
    ('api', 'api_team', '10000 100'),
    ('api_version', 'sqlite_autoindex_api_version_1', '20000 1'),
    ('api_version', 'api_version_identity', '20000 10000 1'),
    ('api_version', 'api_version_label', '20000 2 1'),
    ('revision', 'sqlite_autoindex_revision_1', '50000 1'),
    ('revision', 'revision_identity', '50000 25000 1'),
    ('revision', 'revision_number', '50000 3 1'),
    ('revision', 'revision_document', '50000 25000 2'),
    ('operation', 'sqlite_autoindex_operation_1', '500000 10 1'),
    ('operation', 'operation_key', '500000 10 1'),
    ('operation', 'operation_slug', '500000 10 1'),
    ('plan', 'sqlite_autoindex_plan_1', '20000 1'),
    ('plan', 'plan_identity', '20000 10000 1'),
    ('plan', 'plan_slug', '20000 2 1'),
    ('plan_version', 'sqlite_autoindex_plan_version_1', '30000 1'),
    ('plan_version', 'plan_version_identity', '30000 15000 1'),
    ('plan_version', 'plan_version_number', '30000 2 1'),
    ('plan_limit', 'sqlite_autoindex_plan_limit_1', '50000 2 1'),
    ('plan_limit', 'plan_limit_id', '50000 2 1'),
    ('plan_limit', 'plan_limit_name', '50000 2 1'),
    ('document', 'sqlite_autoindex_document_1', '50000 25000 1'),
    ('document_part', 'sqlite_autoindex_document_part_1', '1000000 500000 50 1'),
    ('application', 'sqlite_autoindex_application_1', '100000 1'),
    ('application', 'application_identity', '100000 50000 1'),
    ('application', 'application_slug', '100000 50000 1'),
    ('application', 'application_change', '100000 2 1'),
    ('application', 'application_team', '100000 100'),
    ('subscription', 'sqlite_autoindex_subscription_1', '100000 1'),
    ('subscription', 'subscription_identity', '100000 50000 1'),
    ('subscription', 'subscription_live', '100000 2 1'),
    ('subscription', 'subscription_application', '100000 2 1'),
    ('subscription', 'subscription_plan', '100000 5 1'),
    ('subscription', 'subscription_api', '100000 10 1'),
    ('subscription', 'subscription_change', '100000 2 1'),
    ('credential', 'sqlite_autoindex_credential_1', '100000 1'),
    ('credential', 'credential_identity', '100000 50000 1'),
    ('credential', 'credential_hash', '100000 1'),
    ('credential', 'credential_application', '100000 2 1'),
    ('credential', 'credential_hint', '100000 50000 10'),
    ('credential', 'credential_change', '100000 2 1'),
    ('approval', 'sqlite_autoindex_approval_1', '10000 1'),
    ('approval', 'approval_identity', '10000 5000 1'),
    ('audit_event', 'sqlite_autoindex_audit_event_1', '200000 1'),
    ('audit_event', 'audit_event_identity', '200000 100000 1'),
    ('audit_event', 'audit_event_order', '200000 100000 2 1'),
    ('audit_event', 'audit_event_chain', '200000 100000 1'),
    ('audit_event', 'audit_event_subject', '200000 100000 20 1'),
    ('audit_event', 'audit_event_kind', '200000 100000 20000 1'),
    ('audit_event', 'audit_event_action', '200000 100000 5000 1'),
    ('audit_event', 'audit_event_user', '200000 100000 2000 1');

ANALYZE sqlite_schema;
