-- The trail of one thing, of one kind of thing, of one action and of one person, newest first: ids are in the order of time.
DROP INDEX audit_event_subject;
CREATE INDEX audit_event_subject ON audit_event (tenant_id, subject_id, id);
CREATE INDEX audit_event_kind ON audit_event (tenant_id, subject_kind, id);
CREATE INDEX audit_event_action ON audit_event (tenant_id, action, id);
CREATE INDEX audit_event_user ON audit_event (tenant_id, user_id, id);
