-- The teams whose members find an API whose visibility is `teams`, beside its owner.
CREATE TABLE api_audience (
    api_id UUID NOT NULL,
    team_id UUID NOT NULL,
    tenant_id UUID NOT NULL,
    PRIMARY KEY (api_id, team_id),
    FOREIGN KEY (tenant_id, api_id) REFERENCES api (tenant_id, id),
    FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id)
);
CREATE INDEX api_audience_team ON api_audience (team_id);

ALTER TABLE api_audience ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_audience FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON api_audience USING (
    current_setting('gatewright.role', true) = 'system'
    OR tenant_id = NULLIF(current_setting('gatewright.tenant', true), '')::uuid);
